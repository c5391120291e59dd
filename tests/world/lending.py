"""A small lending library: every kind of column, reference and tool that a world can have."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from journeyman.world import (
    WORDS,
    Abstain,
    Call,
    Conflict,
    Context,
    Refused,
    Rules,
    State,
    Suite,
    Table,
    Task,
    instant,
    read,
    write,
)


class Reader(NamedTuple):
    id: str
    name: str
    vip: bool
    fine: float | None


class Book(NamedTuple):
    id: str
    title: str
    shelf: Literal["a", "b", "store"]
    pages: int
    tags: tuple[str, ...]
    source: int


class Loan(NamedTuple):
    id: str
    reader: str
    book: str
    since: int
    note: Annotated[str, WORDS]


def has_pages(row: Any) -> bool:
    return row.pages > 0


READERS = Table("readers", Reader)
BOOKS = Table("books", Book, indexes=("shelf",), checks=(("a book has pages", has_pages),), tier="source")
LOANS = Table("loans", Loan, references={"reader": "readers", "book": "books"}, given=("since",))
TABLES: tuple[Table[Any], ...] = (READERS, BOOKS, LOANS)
ReaderId = Annotated[str, READERS]
BookId = Annotated[str, BOOKS]


@read
def look(here: Context, book: BookId) -> dict[str, Any]:
    """Look a book up.

    Args:
        book: the book's id
    """
    return here.get(BOOKS, book)._asdict()


@read
def shelf(here: Context, shelf: Literal["a", "b", "store"], pages: int = 0) -> list[str]:
    """What stands on a shelf."""
    return [row.id for row in here.find(BOOKS, shelf=shelf) if row.pages >= pages]


@write
def lend(here: Context, book: BookId, reader: ReaderId, note: Annotated[str, WORDS] = "") -> str:
    """Lend a book."""
    if here.find(LOANS, book=book):
        raise Conflict(f"{book} is out")
    if (here.get(READERS, reader).fine or 0) > 0:
        raise Refused(f"{reader} owes us money")
    here.get(BOOKS, book)
    return here.add(LOANS, Loan(here.new_id("L"), reader, book, here.clock, note)).id


@write
def give_back(here: Context, loan: Annotated[str, LOANS]) -> None:
    """Take a book back."""
    here.remove(LOANS, loan)


@write
def shelve(here: Context, book: BookId, shelf: Literal["a", "b", "store"]) -> None:
    """Put a book elsewhere."""
    here.put(BOOKS, here.get(BOOKS, book)._replace(shelf=shelf))


@write
def fine(here: Context, reader: ReaderId, amount: float) -> None:
    """Ask a reader for money."""
    here.put(READERS, here.get(READERS, reader)._replace(fine=amount or None))


@write
def raffle(here: Context, days: int = 1) -> str:
    """Draw a reader, and let time pass."""
    here.wait(days * 86400)
    return here.choice([row.id for row in here.each(READERS)])


@write
def half_done(here: Context, book: BookId) -> None:
    """Changes a book, and then thinks better of it."""
    here.put(BOOKS, here.get(BOOKS, book)._replace(shelf="store"))
    here.new_id("L")
    here.below(6)
    raise Refused("no")


@write
def breaks(here: Context, book: BookId) -> object:
    """Changes a book, and then fails."""
    here.put(BOOKS, here.get(BOOKS, book)._replace(shelf="store"))
    return {}["nothing"]


@write
def unwritable(here: Context, book: BookId) -> object:
    """Changes a book, and gives what is no JSON."""
    here.put(BOOKS, here.get(BOOKS, book)._replace(shelf="store"))
    return {1, 2}


@read
def sly(here: Context, book: BookId) -> None:
    """Says that it only reads."""
    here.put(BOOKS, here.get(BOOKS, book)._replace(shelf="store"))


@read
def review(here: Context, book: BookId) -> None:
    """What critics said, which nobody recorded."""
    here.get(BOOKS, book)
    raise Abstain("nobody recorded this")


TOOLS = (
    look,
    shelf,
    lend,
    give_back,
    shelve,
    fine,
    raffle,
    half_done,
    breaks,
    unwritable,
    review,
)  # `sly` breaks the rules of its world, and is in none
RULES = Rules("lending", TABLES, TOOLS, guide="Be kind.")


def start(seed: int = 0) -> State:
    rows: dict[str, list[Any]] = {
        "readers": [Reader("U1", "Ann", True, None), Reader("U2", "Béla", False, 2.5), Reader("U3", "Cy", False, None)],
        "books": [
            Book("B1", "Dunes", "a", 300, ("sand", "sea"), 1),
            Book("B2", "Owls", "a", 120, (), 1),
            Book("B3", "Maps", "b", 80, ("sea",), 2),
        ],
        "loans": [Loan("L1", "U1", "B3", 0, "fragile")],
    }
    return State.build(TABLES, rows, clock=instant(2026, 3, 2, 9), seed=seed, counters={"L": 1})


def task(
    id: str = "lend", oracle: tuple[Any, ...] = (Call("lend", {"book": "B1", "reader": "U1"}),), **rest: Any
) -> Task:
    return Task.derive(RULES, id, "Lend Dunes to Ann.", start(), oracle, **rest)


def suite(*tasks: Task) -> Suite:
    return Suite(RULES, tasks or (task(),))
