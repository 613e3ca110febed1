"""Start a vetted stack, reach it, drill it, and leave nothing behind.

`up` is the way in; `Stack` is what the tools get. The only module, with `images`, that speaks to
the Docker engine.
"""

from __future__ import annotations

from graders.stack.engine import lacking
from graders.stack.evidence import ServiceState
from graders.stack.handle import Stack
from graders.stack.launch import up
from graders.stack.streams import Output

__all__ = ["Output", "ServiceState", "Stack", "lacking", "up"]
