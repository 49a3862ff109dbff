"""A user's configuration folder in front of the shipped one, wherever Hydra composes."""

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin


class UserFolder(SearchPathPlugin):
    """Puts the folder of ``--config-dir`` before every other."""

    folder: Path | None = None

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra when it sets its search path up."""
        if self.folder is not None:
            search_path.prepend("user", str(self.folder))


def search_first(folder: Path | None) -> None:
    """From now on look into this folder first; None: into the shipped one alone."""
    UserFolder.folder = None if folder is None else folder.absolute()
    if UserFolder not in Plugins.instance().discover(SearchPathPlugin):
        Plugins.instance().register(UserFolder)
