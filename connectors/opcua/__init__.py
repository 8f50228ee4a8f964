"""OPC UA: values of nodes by subscription, and their history over a gap."""
