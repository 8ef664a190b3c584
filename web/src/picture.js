// Picture: what is seen, with its caption and its scale, as a PNG to save, copy or print.

import { byId, signed } from "./state.js";

const [INK, SOFT, PAPER] = ["#f2f2f2", "#b4bac3", "#000000"];
const LINE = 20;
const BAR = { width: 220, height: 14, left: 16 };

export async function savePicture(told) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await png(told));
  link.download = `${told.name}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// Whether the browser took it: not every one lets a page write pictures to the clipboard.
export async function copyPicture(told) {
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": png(told) })]);
    return true;
  } catch {
    return false;
  }
}

// The page prints as a white sheet with this picture and the finding's numbers.
export async function printPicture(told) {
  const picture = byId("print-picture");
  picture.src = URL.createObjectURL(await png(told));
  await picture.decode();
  window.print();
}

const png = (told) => new Promise((done) => { compose(told).toBlob(done, "image/png"); });

export function compose({ views, lines, limit, unit, colours }) {
  const ratio = devicePixelRatio;
  const screens = views.map((view) => {
    view.planes.draw();  // a drawing buffer lives only until the page is shown
    const figure = view.planes.nv.canvas.closest("figure");
    const [flat, paper, solid] = figure.querySelectorAll("canvas");
    const sheet = document.createElement("canvas");
    [sheet.width, sheet.height] = [flat.width, flat.height];
    const pen = sheet.getContext("2d");
    pen.drawImage(flat, 0, 0);
    pen.drawImage(paper, 0, 0);
    if (view.solid && !figure.classList.contains("single")) {
      view.solid.drawNow();
      pen.drawImage(solid, sheet.width / 2, sheet.height / 2, sheet.width / 2, sheet.height / 2);
    }
    return sheet;
  });
  const width = screens.reduce((sum, screen) => sum + screen.width, 0);
  const height = Math.max(...screens.map((screen) => screen.height));
  const foot = (Math.max(lines.length, 3) + 0.8) * LINE * ratio;
  const whole = document.createElement("canvas");
  [whole.width, whole.height] = [width, height + foot];
  const pen = whole.getContext("2d");
  pen.fillStyle = PAPER;
  pen.fillRect(0, 0, whole.width, whole.height);
  screens.reduce((left, screen) => {
    pen.drawImage(screen, left, 0);
    return left + screen.width;
  }, 0);
  const room = width - (BAR.width + 4 * BAR.left) * ratio;
  pen.textBaseline = "top";
  lines.forEach((line, index) => {
    pen.fillStyle = index ? SOFT : INK;
    pen.font = `${(index ? 13 : 15) * ratio}px system-ui, sans-serif`;
    pen.fillText(line, BAR.left * ratio, height + (index + 0.4) * LINE * ratio, room);
  });
  bar(pen, width - (BAR.width + 2 * BAR.left) * ratio, height + 0.5 * LINE * ratio, { limit, unit, colours, ratio });
  return whole;
}

function bar(pen, left, top, { limit, unit, colours, ratio }) {
  const [width, high] = [BAR.width * ratio, BAR.height * ratio];
  for (let x = 0; x < width; x++) {
    const value = 2 * x / (width - 1) - 1;
    const colour = value < 0 ? colours.lowered : colours.raised;
    const opacity = colours.most_opaque * Math.abs(value);
    const grey = 0.3;
    pen.fillStyle = `rgb(${colour.map((share) => Math.round(255 * (grey + opacity * (share - grey)))).join(" ")})`;
    pen.fillRect(left + x, top, 1, high);
  }
  pen.fillStyle = SOFT;
  pen.font = `${12 * ratio}px system-ui, sans-serif`;
  pen.textAlign = "center";
  for (const [share, value] of [[0, -limit], [0.5, 0], [1, limit]])
    pen.fillText(signed(value), left + share * width, top + high + 4 * ratio);
  pen.fillText(unit, left + width / 2, top + high + 20 * ratio);
  pen.textAlign = "left";
}
