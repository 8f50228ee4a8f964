"""The alarm desk in a browser: crews acknowledge, shelve, take, comment and close; JSON API for others."""

from desk.web.server import DeskServer

__all__ = ["DeskServer"]
