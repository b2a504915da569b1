"""HTTP/1.1 read by llhttp (httptools), for ports that take thousands of requests a second."""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sakimori_common.web import MAX_HEAD_BYTES

_TOO_LARGE: Final = "The request line and headers are too large."


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's, with a bound on what it holds of a request before the application sees it; it has none itself.

    What comes between the beginning of a connection, or the end of a body, and the end of the next head is counted as
    it comes in, so one header without end is bounded, too.
    """

    _head_bytes = 0
    _is_in_body = False

    def data_received(self, data: bytes) -> None:
        """Take in what the socket gave."""
        if not self._is_in_body:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._is_in_body and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Go on with the body."""
        self._is_in_body, self._head_bytes = True, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Go on with the next head."""
        self._is_in_body = False
        super().on_message_complete()
