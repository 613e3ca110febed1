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
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"aggregations": {"a": {"buckets": [')
        for start in range(0, 10_000_000, 10_000):
            rows = ('{"key": %d, "doc_count": 1},' % n for n in range(start, start + 10_000))
            self.wfile.write("".join(rows).encode())
        self.wfile.write(b'{"key": -1}]}}}')

ThreadingHTTPServer(("", 8000), Rude).serve_forever()
