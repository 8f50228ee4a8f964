"""The alarm desk in a browser: crews acknowledge, shelve, take, comment and close; JSON API for others."""

from connectors.desk.server import DeskServer

__all__ = ["DeskServer"]
