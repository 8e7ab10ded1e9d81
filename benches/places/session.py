# The cells that had been run before each place of places.toml.
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
from sklearn.linear_model import LinearRegression

df = pd.read_csv("stones.csv")
other = pd.read_csv("stones.csv")
towns = df["town"]
days = pd.to_datetime(df["day"])
pf = pl.read_csv("stones.csv")
lf = pl.scan_csv("stones.csv")

config = json.loads('{"rate": 0.1, "it\'s": 1, "model": {"depth": 3, "width": 2}}')
here = Path("stones.csv")


@dataclass
class Point:
    x: float
    y: float = 0.0


class Account:
    """Money of somebody."""

    @classmethod
    def from_text(cls, text: str) -> "Account":
        """Reads what `str` wrote."""
        return cls()

    @property
    def folder(self):
        return Path.home()

    def deposit(self, amount, currency="EUR"):
        """Adds money."""


def mean_of(values, weights=None):
    """The weighted mean of values."""
    return np.average(values, weights=weights)


account = Account()
account.history = [1.5]
accounts = [Account(), Account()]
