"""Accounts, sessions, passwords, roles, single sign-on."""
