"""What the gap of a cell is made of. Integers all through: gap = missing + unpriced + price + quantity + residual.

With quantities on both sides (q ours, Q theirs) and costs (c, C), our rate is c/q: the price effect is C - Q x c/q, the
quantity effect Q x c/q - c, the split of standard costing (price variance at actual quantity, quantity variance at
standard price). Each rounds once, half-even, to a pico-USD, so that both add up to C - c exactly. A price effect within
PRICE_TOLERANCE of the cost is what rounding on the bill leaves: residual.

Where the bill tells no quantities, a price is told by its constancy: of a class of a model (else of the model), the
ratios C/c of at least MOST_AGREE of its cells, which have as much of its cost, lie within RATIO_TOLERANCE of their
median. Then the gap of those cells is the price's, and of the others the part that this ratio makes.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from transforms.reconciliation.grain import COUNTED, Cell

DAY_NOT_LOGGED, DAY_NOT_BILLED = "day missing in the log", "day missing in the bill"
MODEL_NOT_LOGGED, MODEL_NOT_BILLED = "model missing in the log", "model missing in the bill"
CLASS_NOT_LOGGED, CLASS_NOT_BILLED = "token class missing in the log", "token class missing in the bill"
UNPRICED, PRICE, QUANTITY = "unpriced in tokenspread", "price differs", "quantity differs"
CAUSES = (
    DAY_NOT_LOGGED, DAY_NOT_BILLED, MODEL_NOT_LOGGED, MODEL_NOT_BILLED, CLASS_NOT_LOGGED, CLASS_NOT_BILLED, UNPRICED,
    PRICE, QUANTITY,
)  # fmt: skip

PRICE_TOLERANCE = Fraction(1, 1000)
RATIO_TOLERANCE = Fraction(1, 200)
MOST_AGREE = Fraction(4, 5)
WORTH_NAMING = Fraction(1, 100)  # of what all effects of a cell move


@dataclass
class Compared:
    """Both sides of one cell, then the parts of its gap. None is unknown or not there."""

    cell: Cell
    computed: int | None = None  # pico-USD of what has a price
    quantity: int | None = None
    unpriced_quantity: int = 0
    billed: int | None = None
    billed_quantity: int | None = None
    missing_cause: str | None = None
    missing: int = 0
    unpriced: int = 0
    price: int = 0
    quantity_effect: int = 0
    residual: int = 0
    price_change: Fraction | None = None

    @property
    def gap(self) -> int:
        return (self.billed or 0) - (self.computed or 0)  # what is not there, or has no price, adds no money

    @property
    def at_our_rate(self) -> int:
        """Computed, with what has no price at the rate of the rest."""
        return (self.computed or 0) + self.unpriced  # free, or not asked

    @property
    def is_open(self) -> bool:
        """Whether a ratio of prices is looked for: both sides tell money, and the bill no quantity."""
        both = self.missing_cause is None and self.billed is not None and self.computed is not None
        return both and self.billed_quantity is None and self.at_our_rate > 0

    @property
    def cause(self) -> str | None:
        if self.missing_cause:
            return self.missing_cause
        told = {UNPRICED: self.unpriced, PRICE: self.price, QUANTITY: self.quantity_effect}
        moved = sum(abs(amount) for amount in (*told.values(), self.residual))
        return (
            "; ".join(name for name, amount in told.items() if amount and abs(amount) >= WORTH_NAMING * moved) or None
        )


def attribute(cells: list[Compared]) -> None:
    """Fills in the parts of the gap of each cell of one provider; `missing_cause` is there already."""
    for cell in cells:
        if cell.missing_cause:
            cell.missing = cell.gap
        elif cell.unpriced_quantity and (cell.computed is None or cell.unpriced_quantity == cell.quantity):
            cell.unpriced = cell.gap
        else:
            _split(cell)
    by_class, by_model = defaultdict(list), defaultdict(list)
    for cell in cells:
        by_class[cell.cell[1:]].append(cell)
    for (model, _), some in sorted(by_class.items(), key=lambda item: tuple(map(str, item[0]))):
        some = [cell for cell in some if cell.is_open]
        if not _priced_by_ratio(some):
            by_model[model] += some
    for some in by_model.values():
        _priced_by_ratio(some)


def _split(cell: Compared) -> None:
    """Unpriced, price and quantity effect of a cell with both sides; all residual without a billed quantity."""
    ours, theirs = cell.quantity, cell.billed_quantity
    if cell.unpriced_quantity and ours and cell.computed is not None and cell.billed is not None:
        cell.unpriced = round(Fraction(cell.computed * cell.unpriced_quantity, ours - cell.unpriced_quantity))
    rest = cell.gap - cell.unpriced
    if not ours or theirs is None or cell.billed is None or (theirs == 0 and cell.billed):
        cell.residual = rest
        return
    expected = round(Fraction(cell.at_our_rate * theirs, ours))
    cell.price, cell.quantity_effect = cell.billed - expected, expected - cell.at_our_rate
    cell.price_change = Fraction(cell.billed, expected) - 1 if expected else None
    if abs(cell.price) <= PRICE_TOLERANCE * abs(expected):
        cell.price, cell.residual = 0, cell.price


def _priced_by_ratio(cells: Iterable[Compared]) -> bool:
    """Whether the cells agree on a ratio of billed to computed; then the gaps are split by it."""
    cells = sorted(cells, key=lambda cell: (Fraction(cell.billed, cell.at_our_rate), str(cell.cell)))
    if len(cells) < 2:
        return False
    middle = cells[len(cells) // 2]
    median = Fraction(middle.billed, middle.at_our_rate)
    near = RATIO_TOLERANCE * abs(median)
    agree = [cell for cell in cells if abs(Fraction(cell.billed, cell.at_our_rate) - median) <= near]
    cost, agreed_cost = (sum(cell.at_our_rate for cell in some) for some in (cells, agree))
    if len(agree) < max(2, MOST_AGREE * len(cells)) or agreed_cost < MOST_AGREE * cost:
        return False
    change = Fraction(sum(cell.billed for cell in agree), agreed_cost) - 1
    agreeing = set(map(id, agree))
    for cell in cells:
        cell.price_change = change
        if abs(change) > PRICE_TOLERANCE:
            rest = cell.gap - cell.unpriced
            cell.price = rest if id(cell) in agreeing else round(cell.at_our_rate * change)
            cell.residual = rest - cell.price
    return True


def is_of_tokens(token_class: str | None) -> bool:
    return token_class not in COUNTED
