"""What a screen reader is told, and how well text stands out, asked of Chromium itself."""

from __future__ import annotations

from typing import Any

_CONTROLS = {
    "button",
    "checkbox",
    "combobox",
    "link",
    "listbox",
    "menuitem",
    "radio",
    "searchbox",
    "slider",
    "spinbutton",
    "switch",
    "tab",
    "textbox",
    "image",
    "img",
    "graphics-document",
    "DisclosureTriangle",
}

LEAST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3 (AA): letters below 24 px (18.66 px bold) against their ground; 3 for larger ones."""

_CONTRAST = """
(root) => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map((at) => top[at] * top[3] + under[at] * (1 - top[3])).concat(1);
  const ground = (one) => {
    const layers = [];
    for (let at = one; at; at = at.parentElement ?? at.getRootNode().host ?? null) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((one) => one / 255).map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const found = [];
  for (const one of root.querySelectorAll("*")) {
    const text = [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join("").trim();
    if (!text || ["STYLE", "SCRIPT", "OPTION"].includes(one.tagName) || !one.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (one.closest(":disabled, [aria-disabled=true], [aria-hidden=true]")) continue;
    const style = getComputedStyle(one);
    const inChart = one.closest("svg");
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    let under = ground(one);
    if (inChart) {
      // a chart's ground is a shape in it, or the colour of the picture
      const shape = inChart.querySelector(":scope > path.background, :scope > rect:first-child, .background");
      const fill = shape && getComputedStyle(shape).fill;
      const own = getComputedStyle(inChart).backgroundColor;
      under = over(rgba(own), under);
      if (fill && fill !== "none") under = over(rgba(fill), under);
    }
    const ink = over(rgba(inChart ? style.fill : style.color), under);
    const [high, low] = [light(ink), light(under)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < least) found.push(`${ratio.toFixed(2)} ${one.tagName.toLowerCase()}.${one.getAttribute("class") ?? ""}: ${text.slice(0, 40)}`);
  }
  return [...new Set(found)];
}
"""


def contrasts(page: Any, selector: str) -> list[str]:
    """Return each text below the selector that stands out less than WCAG asks for, with its ratio."""
    return page.locator(selector).first.evaluate(_CONTRAST)


def tree(page: Any, selector: str) -> list[dict[str, Any]]:
    """Return the nodes of the browser's accessibility tree below the selector that are not ignored."""
    session = page.context.new_cdp_session(page)
    session.send("DOM.enable")
    session.send("Accessibility.enable")
    root = session.send("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    node = session.send("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
    inner = session.send("DOM.describeNode", {"nodeId": node, "depth": -1, "pierce": True})["node"]
    below = set(_backend_ids(inner))
    whole = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    return [one for one in whole if not one.get("ignored") and one.get("backendDOMNodeId") in below]


def _backend_ids(node: dict[str, Any]) -> list[int]:
    inner = [*node.get("children", []), *node.get("shadowRoots", [])]
    return [node["backendNodeId"], *(number for child in inner for number in _backend_ids(child))]


def unnamed(page: Any, selector: str) -> list[str]:
    """Return the roles of controls and pictures below the selector that a screen reader has no name for."""
    nodes = tree(page, selector)
    assert any(one["role"]["value"] in _CONTROLS for one in nodes), "the browser tells nothing of it"
    return [
        f"{one['role']['value']} #{one.get('backendDOMNodeId')}"
        for one in nodes
        if one["role"]["value"] in _CONTROLS and not one.get("name", {}).get("value", "").strip()
    ]
