import time

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Rude(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/sante":
            self.send_response(204)
            self.end_headers()
            return
        self.misbehave()

    def misbehave(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Patience: ")
        while True:
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.2)

ThreadingHTTPServer(("", 8000), Rude).serve_forever()
