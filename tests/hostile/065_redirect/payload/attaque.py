from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Rude(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/sante":
            self.send_response(204)
            self.end_headers()
            return
        self.misbehave()

    def misbehave(self):
        self.send_response(302)
        self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.end_headers()

ThreadingHTTPServer(("", 8000), Rude).serve_forever()
