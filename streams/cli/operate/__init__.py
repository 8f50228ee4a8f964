"""Commands for who runs the system: topics, access rules, tokens, machines, snapshots, checks."""
