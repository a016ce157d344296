"""What the browser tests share: when a page is there, what it says, what colours and contrast it has.

Skipped, visibly, where no Chromium is installed (Debian: `apt-get install chromium`). Pictures are left in
build/screenshots.
"""

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import Tab, installed
from tests.monitor.browser_stand_in import STATIC, StandIn

PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
needs_browser = pytest.mark.skipif(installed() is None, reason="no chromium is installed")
needs_libraries = pytest.mark.skipif(
    not (STATIC / "vendor" / "lightweight-charts").is_dir(), reason="the page's libraries are not installed: make page"
)
LOADED = "window.monitor !== undefined && monitor.inspect().bars > 0 && !monitor.inspect().isLoading"
SHOWN = "document.body.dataset.signed === 'yes' && document.querySelectorAll('#campaigns tr').length > 0"

CONTRAST = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = (v) => (v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll('body *')) {
    if (!node.checkVisibility({visibilityProperty: true})) continue;
    if (node.closest('.leg, .canvas, .plot, option, :disabled')) continue;
    if (![...node.childNodes].some(one => one.nodeType === 3 && one.textContent.trim())) continue;
    const [one, other] = [light(rgba(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
    if (ratio < 4.5) found.push(`${node.id || node.className} ${ratio.toFixed(2)} ${node.textContent.slice(0, 30)}`);
  }
  return found;
})()"""
"""What in the page has less contrast than WCAG AA asks for; legs have their numbers in words beside them."""


def shown(browser: Tab, server: StandIn, **look: Any) -> None:
    browser.open(server.address, **look)
    browser.until(f"{LOADED} && {SHOWN}")


def text(browser: Tab, selector: str) -> str:
    return str(browser.value(f"document.querySelector({selector!r}).textContent"))


def colours(png: bytes) -> set[tuple[int, int, int]]:
    """Of all pixels of a PNG with 8 bits a channel, as Chromium writes them."""
    found, at, data = set(), 8, b""
    width = depth = 0
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, depth = struct.unpack(">I", body[:4])[0], {2: 3, 6: 4}[body[9]]
        if kind == b"IDAT":
            data += body
        at += 12 + size
    raw, line = zlib.decompress(data), width * depth
    above = bytearray(line)
    for start in range(0, len(raw), line + 1):
        above = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + line]), above, depth)
        found.update(zip(above[0::depth], above[1::depth], above[2::depth], strict=True))
    return found


def _unfiltered(kind: int, row: bytearray, above: bytearray, depth: int) -> bytearray:
    for at in range(len(row)):
        left = row[at - depth] if at >= depth else 0
        corner = above[at - depth] if at >= depth else 0
        guess = left + above[at] - corner
        nearest = min((left, above[at], corner), key=lambda one: abs(guess - one))
        row[at] = (row[at] + (0, left, above[at], (left + above[at]) // 2, nearest)[kind]) & 255
    return row


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.strip().removeprefix("#")))
