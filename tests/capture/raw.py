"""An engine that sends any bytes at all: what no web framework would let it send."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Sequence

RESET = b"\0reset"  # instead of bytes: the connection is reset
HANG = b"\0hang"  # instead of bytes: nothing more, and the connection stays open


class RawEngine:
    """Answers one request after the other with the next of `answers`, the last one for ever; an answer is pieces of
    bytes, sent `pause` seconds apart, and then, unless `stay`, the connection is closed."""

    def __init__(self, answers: Sequence[Sequence[bytes]], pause: float = 0.0, stay: bool = False) -> None:
        self.answers, self.pause, self.stay, self.asked = answers, pause, stay, 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.heads: list[bytes] = []  # of the requests that came
        self._ended = threading.Event()

    def __enter__(self) -> RawEngine:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._socket.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while self._read(connection):
                    answer = self.answers[min(self.asked, len(self.answers) - 1)]
                    self.asked += 1
                    for piece in answer:
                        if piece == RESET:
                            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                            return
                        if piece == HANG:
                            self._ended.wait()
                            return
                        connection.sendall(piece)
                        time.sleep(self.pause)
                    if not self.stay:
                        return
            except OSError:  # the gateway has closed it
                return

    def _read(self, connection: socket.socket) -> bool:
        """Take one request; False: there is none any more."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := connection.recv(65536)):
                return False
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        self.heads.append(head)
        length = re.search(rb"(?i)content-length: (\d+)", head)
        left = int(length[1]) - len(body) if length else 0
        while left > 0:
            left -= len(connection.recv(left))
        return True


def whole(body: bytes, kind: str = "application/json", status: str = "200 OK", *more: str) -> bytes:
    """A response as it should be."""
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(body)}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def head(kind: str = "application/json", *more: str) -> bytes:
    """The beginning of a response in chunks."""
    return "\r\n".join(["HTTP/1.1 200 OK", f"content-type: {kind}", "transfer-encoding: chunked", *more]).encode() + (
        b"\r\n\r\n"
    )


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


END = b"0\r\n\r\n"
