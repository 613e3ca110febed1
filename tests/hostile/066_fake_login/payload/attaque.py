from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Rude(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/sante":
            self.send_response(204)
            self.end_headers()
            return
        self.misbehave()

    def misbehave(self):
        print(self.requestline, dict(self.headers), flush=True)
        self.send_response(401)
        self.end_headers()

ThreadingHTTPServer(("", 8000), Rude).serve_forever()
