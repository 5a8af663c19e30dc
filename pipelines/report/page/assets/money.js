// Figures as pipelines/report/text.py shows them. Money is a BigInt of atto-USD until it is shown; null is unknown.
const UNKNOWN = "\u2013";
const ATTO = 10n ** 18n;

function halfEven(amount, divisor) {
  let quotient = amount / divisor;
  const rest = amount % divisor;
  const twice = 2n * (rest < 0n ? -rest : rest);
  if (twice > divisor || (twice === divisor && quotient % 2n !== 0n)) quotient += amount < 0n ? -1n : 1n;
  return quotient;
}

function grouped(digits) {
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
}

// Cents from a dollar up, four significant digits below; what is not zero never shows as zero.
function money(atto) {
  if (atto === null) return UNKNOWN;
  const size = atto < 0n ? -atto : atto;
  const decimals = size === 0n || size >= ATTO ? 2 : 22 - String(size).length;
  const kept = decimals > 18 ? size * 10n ** BigInt(decimals - 18) : halfEven(size, 10n ** BigInt(18 - decimals));
  const text = String(kept).padStart(decimals + 1, "0");
  const rest = text.slice(-decimals).replace(/0+$/, "").padEnd(2, "0");
  return `${atto < 0n ? "-" : ""}${grouped(text.slice(0, -decimals))}.${rest}`;
}

// Of a number, or the text of one, as JSON has it.
function attoOf(usd) {
  if (usd === null || usd === undefined) return null;
  const [, sign, whole, part = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(String(usd));
  const shift = 18 + Number(exponent) - part.length;
  const digits = BigInt(whole + part);
  const atto = shift >= 0 ? digits * 10n ** BigInt(shift) : halfEven(digits, 10n ** BigInt(-shift));
  return sign ? -atto : atto;
}

const picoOf = (text) => (text === null ? null : BigInt(text));
const usdText = (usd) => money(attoOf(usd));
const numberOf = (atto) => (atto === null ? null : Number(atto) / 1e18); // for a chart, which shows no digits of it
const count = (number) => (number === null || number === undefined ? UNKNOWN : grouped(String(number)));
const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
const atLeast = (text, unpriced) => (unpriced && text !== UNKNOWN ? `${text}+` : text);
const atMost = (text, unpriced) => (unpriced && text !== UNKNOWN ? `<${text}` : text);

// Of two BigInts, in percent, with so many decimals that what is not none or all never shows as that (six at most).
function percentOf(part, whole) {
  const isNoneOrAll = (number, all) => number === 0n || number === all || number === -all;
  for (let decimals = 1; ; decimals++) {
    const unit = 10n ** BigInt(decimals);
    const rounded = halfEven(part * 100n * unit, whole);
    if (decimals === 6 || isNoneOrAll(rounded, 100n * unit) === isNoneOrAll(part, whole))
      return Number(rounded) / Number(unit);
  }
}

// Of a percentage that is rounded already.
function share(rounded, signed = false) {
  if (rounded === null || rounded === undefined) return UNKNOWN;
  const [whole, part = "0"] = Math.abs(rounded).toFixed(6).replace(/\.?0+$/, "").split(".");
  return `${rounded < 0 ? "-" : signed ? "+" : ""}${grouped(whole)}.${part}%`;
}

function percent(change) {
  return change === 0 ? "today" : `${change > 0 ? "+" : "-"}${Math.abs(change)}%`;
}

function mean(number) {
  return number === null || number === undefined
    ? UNKNOWN
    : number.toLocaleString("en-US", { maximumFractionDigits: number < 100 ? 1 : 0 });
}
