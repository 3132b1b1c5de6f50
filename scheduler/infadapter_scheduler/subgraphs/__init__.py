"""Which SubNet serves a query and which SubGraph is cached for the next ones, after SUSHI. Pure."""

from infadapter_scheduler.subgraphs.back_end import EMPTY, BackEnd
from infadapter_scheduler.subgraphs.caching import (
    Rule,
    cheapest,
    kept,
    nearest,
    planned,
    static_column,
    undominated,
)
from infadapter_scheduler.subgraphs.candidates import candidates, prefix
from infadapter_scheduler.subgraphs.oracle import best_columns
from infadapter_scheduler.subgraphs.queries import Query, Strict, choose
from infadapter_scheduler.subgraphs.scheduler import Answer, SubGraphScheduler, serve_all
from infadapter_scheduler.subgraphs.slices import Slice, Slices, shared, vector, weights
from infadapter_scheduler.subgraphs.table import InvalidTable, LatencyTable, SubGraph, SubNet

__all__ = [
    "EMPTY",
    "Answer",
    "BackEnd",
    "InvalidTable",
    "LatencyTable",
    "Query",
    "Rule",
    "Slice",
    "Slices",
    "Strict",
    "SubGraph",
    "SubGraphScheduler",
    "SubNet",
    "best_columns",
    "candidates",
    "cheapest",
    "choose",
    "kept",
    "nearest",
    "planned",
    "prefix",
    "serve_all",
    "shared",
    "static_column",
    "undominated",
    "vector",
    "weights",
]
