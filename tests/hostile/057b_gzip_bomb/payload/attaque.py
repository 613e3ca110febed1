import zlib

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Rude(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/sante":
            self.send_response(204)
            self.end_headers()
            return
        self.misbehave()

    def misbehave(self):
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
        for _ in range(4096):
            self.wfile.write(squeeze.compress(bytes(1 << 20)))

ThreadingHTTPServer(("", 8000), Rude).serve_forever()
