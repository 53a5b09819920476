"""Machinery without science: tasks, journal, engines, checks, intervals, tables and figures."""
