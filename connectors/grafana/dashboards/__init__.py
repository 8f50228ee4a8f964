"""The dashboards, made with typed builders."""
