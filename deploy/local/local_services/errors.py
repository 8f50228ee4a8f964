"""The one error of the local services: what could not be done, and what to do about it."""


class ServiceError(Exception):
    """A service cannot be fetched, built or started; the message ends with the remedy."""
