"""Stands in for Slack and Discord: keeps what is posted to it and shows it at GET /. Standard library only."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

KEPT: list[dict[str, object]] = []
LOCK = Lock()


class Receiver(BaseHTTPRequestHandler):
    """POST keeps the JSON body under its path; GET answers with all that is kept."""

    def do_POST(self) -> None:
        """Keep a notice."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with LOCK:
            KEPT.append({"path": self.path, "body": body})
        self._answer(b"ok")

    def do_GET(self) -> None:
        """Show what is kept."""
        with LOCK:
            self._answer(json.dumps(KEPT).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", 9000), Receiver).serve_forever()  # noqa: S104  # inside a container's own network
