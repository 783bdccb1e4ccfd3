import type { Phones, Span as Labelled } from '../api/types';
import type { Curves } from '../player/curves';
import type { Layer } from '../take/edits';
import { groupOf } from '../take/groups';
import { markStep, type Row, RULER, type Span, timeAt, xAt, yAt } from './view';

export interface Picture {
  width: number;
  height: number;
  span: Span;
  duration: number;
  rows: Row[];
  curves: Curves;
  peaks: Int8Array | undefined;
  phones: Phones | undefined;
  layers: readonly Layer[];
  selected: number;
  /** Colour of a custom property of the theme. */
  colour: (name: string) => string;
}

/** Draw everything but the playhead and the region, which move on their own. */
export function draw(context: CanvasRenderingContext2D, picture: Picture) {
  context.clearRect(0, 0, picture.width, picture.height);
  context.font = `500 10.5px ${getComputedStyle(document.body).fontFamily}`;
  context.lineJoin = 'round';
  ruler(context, picture);
  for (const row of picture.rows) {
    separator(context, picture, row);
    if (row.kind === 'wave') waveform(context, picture, row);
    else if (row.kind === 'words') labels(context, picture, row, picture.phones!.words);
    else if (row.kind === 'phones') labels(context, picture, row, picture.phones!.phones);
    else lane(context, picture, row);
  }
}

function ruler(context: CanvasRenderingContext2D, { width, height, span, duration, colour }: Picture) {
  const step = markStep(span.scale);
  const last = Math.min(duration, timeAt(span, width));
  for (let t = Math.ceil(span.start / step) * step; t <= last + 1e-9; t += step) {
    const x = Math.round(xAt(span, t)) + 0.5;
    context.fillStyle = colour('--line');
    context.globalAlpha = 0.6;
    context.fillRect(x - 0.5, RULER, 1, height - RULER);
    context.globalAlpha = 1;
    context.fillStyle = colour('--ink-faint');
    context.fillText(step < 1 ? t.toFixed(step < 0.1 ? 2 : 1) : clockOf(t), x + 4, 15);
    context.fillRect(x - 0.5, 8, 1, RULER - 8);
  }
}

const clockOf = (t: number) => `${Math.floor(t / 60)}:${String(Math.round(t % 60)).padStart(2, '0')}`;

function separator(context: CanvasRenderingContext2D, { width, colour }: Picture, row: Row) {
  context.fillStyle = colour('--line');
  context.fillRect(0, row.top, width, 1);
}

function waveform(context: CanvasRenderingContext2D, { peaks, duration, width, span, colour }: Picture, row: Row) {
  if (!peaks) return;
  const pairs = peaks.length / 2;
  const middle = row.top + row.height / 2;
  const loudest = peaks.reduce((most, peak) => Math.max(most, Math.abs(peak)), 16);
  const size = (row.height - 10) / 2 / loudest;
  context.fillStyle = colour('--ink-soft');
  for (let x = 0; x < width; x++) {
    const from = Math.floor((timeAt(span, x) / duration) * pairs);
    const to = Math.max(from + 1, Math.ceil((timeAt(span, x + 1) / duration) * pairs));
    if (from >= pairs) break;
    let [low, high] = [127, -128];
    for (let i = Math.max(from, 0); i < Math.min(to, pairs); i++) {
      low = Math.min(low, peaks[2 * i]!);
      high = Math.max(high, peaks[2 * i + 1]!);
    }
    context.fillRect(x, middle - high * size, 1, Math.max((high - low) * size, 1));
  }
}

function labels(context: CanvasRenderingContext2D, { width, span, colour }: Picture, row: Row, spans: Labelled[]) {
  context.textAlign = 'center';
  for (const { t0, t1, label } of spans) {
    const [left, right] = [xAt(span, t0), xAt(span, t1)];
    if (right < 0 || left > width) continue;
    context.fillStyle = colour('--line-strong');
    context.fillRect(Math.round(left), row.top + 4, 1, row.height - 8);
    if (context.measureText(label).width > right - left - 2) continue;
    context.fillStyle = colour(row.kind === 'words' ? '--ink' : '--ink-soft');
    context.fillText(label, (left + right) / 2, row.top + row.height / 2 + 4);
  }
  context.textAlign = 'left';
}

function lane(context: CanvasRenderingContext2D, picture: Picture, row: Row) {
  const colour = picture.colour(`--group-${row.group}`);
  if (row.low < 0) {
    context.fillStyle = picture.colour('--line-strong');
    context.fillRect(0, Math.round(yAt(row, 0)), picture.width, 1);
  }
  row.channels.forEach((channel, i) => {
    context.strokeStyle = colour;
    context.globalAlpha = [1, 0.5, 0.28][i] ?? 0.2;
    context.lineWidth = i ? 1.25 : 1.75;
    curve(context, picture, row, channel, row.kind === 'channel' || i === 0);
  });
  context.globalAlpha = 1;
  picture.layers.forEach((layer, index) => marks(context, picture, row, layer, index, colour));
}

function curve(context: CanvasRenderingContext2D, picture: Picture, row: Row, channel: string, fill: boolean) {
  const { curves, span, width } = picture;
  const column = curves.channels.indexOf(channel);
  const stride = curves.channels.length;
  const [first, last] = [timeAt(span, -2) * curves.fps, timeAt(span, width + 2) * curves.fps];
  const [from, to] = [Math.max(0, Math.floor(first)), Math.min(curves.frames - 1, Math.ceil(last))];
  // Far out, a pixel holds many frames: keep the smallest and largest of each.
  const group = Math.max(1, Math.floor(span.scale * curves.fps * 0.5));
  context.beginPath();
  for (let f = from; f <= to; f += group) {
    let [low, high] = [Infinity, -Infinity];
    for (let g = f; g < Math.min(f + group, to + 1); g++) {
      const v = curves.values[g * stride + column]!;
      low = Math.min(low, v);
      high = Math.max(high, v);
    }
    const x = xAt(span, f / curves.fps);
    if (f === from) context.moveTo(x, yAt(row, low));
    context.lineTo(x, yAt(row, low));
    if (high > low) context.lineTo(x, yAt(row, high));
  }
  context.stroke();
  if (!fill || row.low < 0) return;
  context.lineTo(xAt(span, to / curves.fps), row.top + row.height - 6);
  context.lineTo(xAt(span, from / curves.fps), row.top + row.height - 6);
  context.closePath();
  context.globalAlpha *= 0.12;
  context.fillStyle = context.strokeStyle;
  context.fill();
}

/** Whether a layer is drawn in a row, and by which of the row's channels. */
export function keyChannel(row: Row, layer: Layer): string | undefined {
  if (layer.type === 'close_lips') return row.channels.find((name) => name === 'jawOpen');
  if (layer.type !== 'key') return undefined;
  const shown = row.channels.find((name) => layer.channels.includes(name));
  if (shown || row.kind !== 'group') return shown;
  return layer.channels.some((name) => groupOf(name) === row.group) ? row.channels[0] : undefined;
}

function marks(
  context: CanvasRenderingContext2D,
  picture: Picture,
  row: Row,
  layer: Layer,
  index: number,
  colour: string,
) {
  const { span, selected } = picture;
  if (layer.type !== 'key' && layer.type !== 'close_lips') {
    if (!row.group || !layer.groups.includes(row.group)) return;
    context.fillStyle = colour;
    context.globalAlpha = index === selected ? 0.3 : 0.16;
    const left = xAt(span, layer.t0);
    context.fillRect(left, row.top + 1, Math.max(xAt(span, layer.t1) - left, 2), row.height - 1);
    context.globalAlpha = 1;
    return;
  }
  const channel = keyChannel(row, layer);
  if (!channel) return;
  const [x, y] = keyPlace(picture, row, layer, channel);
  context.beginPath();
  context.moveTo(x, y - 6);
  context.lineTo(x + 6, y);
  context.lineTo(x, y + 6);
  context.lineTo(x - 6, y);
  context.closePath();
  context.fillStyle = index === selected ? picture.colour('--ink') : colour;
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = picture.colour('--ground');
  context.stroke();
}

/** Where a key is drawn: at its value, or on the curve where its value is relative. */
export function keyPlace(picture: Pick<Picture, 'span' | 'curves'>, row: Row, layer: Layer, channel: string) {
  const t = layer.type === 'key' || layer.type === 'close_lips' ? layer.t : 0;
  const own = layer.type === 'key' && layer.mode === 'set' && layer.channels.includes(channel);
  const column = picture.curves.channels.indexOf(channel);
  const value = own ? layer.value : picture.curves.at(t)[column]!;
  return [xAt(picture.span, t), yAt(row, value)] as const;
}
