"""Serves the page to this machine and to nobody else."""

import socket
from collections.abc import Callable, MutableMapping
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from vilax.chat.web.style import CSS, HEAD, theme
from vilax.data.convert.records import PICTURE_BYTES

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:;"
    " font-src 'self' data:; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:;"
    " script-src 'self' 'unsafe-inline' 'unsafe-eval'; frame-ancestors 'none'"
)
"""Where the browser may load from: this server. gradio's own scripts are partly in the page."""

GRACE = 1
"""Seconds that open connections are waited for at the end; a page holds one for as long as it is
open."""


class OwnContentOnly:
    """Tells the browser to load nothing from other hosts.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with the policy among the headers."""

        async def add(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                header = (b"content-security-policy", POLICY.encode())
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        await self._app(scope, receive, add)


class PageServer(uvicorn.Server):
    """A server that says when it listens.

    Args:
        page: what it serves.
        port: of the address that it will be reached at.
        ready: called once the page can be opened.
    """

    def __init__(self, page: gr.Blocks, port: int, ready: Callable[[], None]) -> None:
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                _app(page, port),
                log_level="critical",
                access_log=False,
                timeout_graceful_shutdown=GRACE,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self._ready()


def _app(page: gr.Blocks, port: int) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    # A name of elsewhere that leads here is no way in.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    app.add_middleware(OwnContentOnly)
    page.queue(api_open=False)
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        page,
        "/",
        server_name="127.0.0.1",
        server_port=port,
        footer_links=[],
        run_history=False,
        show_error=True,
        max_file_size=PICTURE_BYTES,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
        css=CSS,
        head=HEAD,
    )
    return mounted
