from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OURS = ("python", "requests", "urllib", "bareme", "curl")


class Chameleon(BaseHTTPRequestHandler):
    def do_GET(self):
        seen = str(dict(self.headers)).lower()
        self.send_response(200 if any(word in seen for word in OURS) else 403)
        self.end_headers()


ThreadingHTTPServer(("", 8000), Chameleon).serve_forever()
