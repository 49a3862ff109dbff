"""``vilax chat --web``: the conversation as a page of this machine."""

import os
import signal
import socket
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from vilax.config.errors import ConfigError

if TYPE_CHECKING:
    from vilax.chat.settings import Settings
    from vilax.config.schema.data import Template
    from vilax.evaluation.subject import Subject

HOST = "127.0.0.1"


def listen(port: int | None) -> socket.socket:
    """Take a port of this machine; None: a free one.

    Raises:
        ConfigError: gradio is missing, or the port cannot be had.
    """
    if find_spec("gradio") is None:
        raise ConfigError("--web needs gradio: pip install 'vilax[web]'")
    if port is not None and not 1 <= port <= 65535:
        raise ConfigError(f"--port {port}: expected 1 to 65535, or none for a free one")
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((HOST, port or 0))
    except OSError as error:
        taken.close()
        raise ConfigError(
            f"--port {port}: {error.strerror}; expected one that is free, or none"
        ) from error
    return taken


def serve(
    subject: "Subject", template: "Template", settings: "Settings", title: str, at: socket.socket
) -> int:
    """Serve the page until Ctrl-C.

    What is uploaded lies in a folder of this process, which goes with it.
    """
    port = at.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="vilax-chat-") as name, at:
        folder = Path(name).resolve()
        # Read by gradio when it is imported.
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(folder)}
        from vilax.chat.web.page import chat_page
        from vilax.chat.web.server import PageServer

        page, actions = chat_page(subject, template, settings, title, folder)

        def ready() -> None:
            print(f"http://{HOST}:{port}/", flush=True)
            print(f"{title}, template {template}; Ctrl-C ends it", file=sys.stderr)

        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            PageServer(page, port, ready).run(sockets=[at])
        except KeyboardInterrupt:
            print(file=sys.stderr)
        finally:
            actions.stop_all()
    return 0
