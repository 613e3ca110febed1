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
        self.end_headers()
        while True:
            self.wfile.write(bytes(1 << 20))

ThreadingHTTPServer(("", 8000), Rude).serve_forever()
