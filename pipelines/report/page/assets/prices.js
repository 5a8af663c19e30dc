// What a change of prices makes of every row: the arithmetic of the macro `reprice`, in integers.
const MILLION = 1000000n;

function sum(amounts) {
  let total = null;
  for (const amount of amounts) if (amount !== null) total = (total === null ? 0n : total) + amount;
  return total;
}

class Prices {
  constructor(slider) {
    this.scopes = slider.scopes;
    this.models = slider.models;
    this.grid = slider.grid; // changes for which what stands apart is computed; null: it never moves
    this.rows = slider.rows.map((row) => this.parsed(row));
    this.total = { ...this.parsed(slider.total), cells: this.rows.flatMap((row) => row.cells) };
    this.choose(0);
  }

  parsed(row) {
    const cells = row.cells.map(([model, cost, labelled]) => ({
      model,
      cost: picoOf(cost),
      labelled: picoOf(labelled),
    }));
    return {
      ...row,
      cells,
      apart: picoOf(row.apart) ?? 0n,
      revenue: picoOf(row.revenue),
      grid: row.grid?.map((apart) => picoOf(apart) ?? 0n),
    };
  }

  choose(scope) {
    this.scope = scope;
    const moved = new Set(this.scopes[scope].models);
    for (const row of [...this.rows, this.total]) {
      const cells = row.cells.filter((cell) => moved.has(cell.model));
      row.cost = sum(row.cells.map((cell) => cell.cost));
      row.labelled = sum(row.cells.map((cell) => cell.labelled));
      row.movedCost = sum(cells.map((cell) => cell.cost)) ?? 0n;
      row.movedLabelled = sum(cells.map((cell) => cell.labelled)) ?? 0n;
    }
  }

  // Of a row when the prices of the scope change by so many percent; money in atto-USD.
  at(row, change) {
    const millionths = BigInt(Math.round(change * 10000));
    const moved = (today, part) => (today === null ? null : today * MILLION + part * millionths);
    const cost = moved(row.cost, row.movedCost);
    const labelled = moved(row.labelled, row.movedLabelled);
    const perOutcome = labelled === null || !row.successes ? null : halfEven(labelled, BigInt(row.successes));
    const apart = this.apart(row, change);
    const margin = row.revenue === null || cost === null || apart === null ? null : row.revenue - apart - cost;
    const survives = margin === null ? null : margin < 0n ? false : row.unpriced === 0 ? true : null;
    return { cost, perOutcome, margin, survives, unpriced: row.unpriced, isNear: this.isNear(change) };
  }

  // What stands beside tokens and fees. Volume tiers and commitments move with the spend: what they come to is computed
  // for some changes of all prices, lies near the line between two of them, and is not known for a part of the prices.
  apart(row, change) {
    if (!this.grid || change === 0) return row.apart;
    if (this.scope !== 0) return null;
    const after = this.grid.findIndex((computed) => computed >= change);
    if (this.grid[after] === change) return row.grid[after];
    const [low, high] = [this.grid[after - 1], this.grid[after]];
    const slope = (row.grid[after] - row.grid[after - 1]) * BigInt(Math.round((change - low) * 10000));
    return row.grid[after - 1] + halfEven(slope, BigInt((high - low) * 10000));
  }

  isNear(change) {
    return this.grid !== null && this.scope === 0 && !this.grid.includes(change);
  }

  // How far the prices of the scope may rise until the margin is zero, in percent.
  breakEven(row) {
    if (this.grid) return this.scope === 0 ? this.crossing(row) : null;
    const { margin } = this.at(row, 0);
    if (margin === null || row.movedCost === 0n) return null;
    return percentOf(margin, row.movedCost * MILLION);
  }

  // Between the two computed changes at which the margin goes below zero.
  crossing(row) {
    const margins = this.grid.map((change) => this.at(row, change).margin);
    const after = margins.findIndex(
      (margin, place) => place && margin !== null && margin < 0n && margins[place - 1] >= 0n,
    );
    if (after < 1) return null;
    const [low, high, above, below] = [this.grid[after - 1], this.grid[after], margins[after - 1], margins[after]];
    return Number(BigInt(low) * 10n + halfEven(above * BigInt((high - low) * 10), above - below)) / 10;
  }

  // The model that most of a row's cost rides on, and its share in percent.
  rides(row) {
    const cost = row.cost;
    if (!cost) return null;
    const most = row.cells.reduce((best, cell) => (cell.cost > best.cost ? cell : best));
    return { model: this.models[most.model], share: percentOf(most.cost, cost) };
  }
}
