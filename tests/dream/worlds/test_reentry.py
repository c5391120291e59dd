"""The same work for something else."""

from __future__ import annotations

from typing import Any

from journeyman.dream.worlds.reentry import exchange, reworded

ORDERS: dict[str, Any] = {
    "R-1": {"order_id": "R-1", "user_id": "mia", "state": "open", "items": ["X-1"], "price": 12.5},
    "R-2": {"order_id": "R-2", "user_id": "leo", "state": "sent", "items": ["X-2"], "price": 12.5},
}
USERS: dict[str, Any] = {
    "mia": {"user_id": "mia", "cards": {"card_11": {"id": "card_11"}}, "orders": ["R-1"]},
    "leo": {"user_id": "leo", "cards": {"card_22": {"id": "card_22"}}, "orders": ["R-2"]},
}


def find(kind: str, key: str) -> Any:
    return {"order": ORDERS, "user": USERS}[kind].get(key)


FOUND = exchange("order", "R-1", "R-2", find, find, {"user_id": "user", "orders": "order"})


def test_what_belongs_to_it_is_exchanged_as_well() -> None:
    expected = {"R-1": "R-2", "mia": "leo", "X-1": "X-2", "card_11": "card_22"}
    assert {one: FOUND.names[one] for one in expected} == expected


def test_names_are_exchanged_in_words() -> None:
    words = reworded("Send r-1 to Mia, not R-11.", FOUND, [], lambda text: text in ("R-1", "mia"))
    assert words == "Send R-2 to leo, not R-11."


def test_words_that_say_what_is_not_so_of_the_other_do_not_fit() -> None:
    assert reworded("The open order R-1", FOUND, ["R-1"], lambda _: False) is None
    assert reworded("R-1, for 12.50", FOUND, ["R-1"], lambda _: False) == "R-2, for 12.50"
    ORDERS["R-2"]["price"] = 3.0
    try:
        other = exchange("order", "R-1", "R-2", find, find, {})
    finally:
        ORDERS["R-2"]["price"] = 12.5
    assert reworded("R-1, for 12.50", other, ["R-1"], lambda _: False) is None
