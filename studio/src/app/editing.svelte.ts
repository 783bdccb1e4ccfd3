import { ApiError, bytes, send } from '../api/client';
import type { Job, Take } from '../api/types';
import { type Curves, curves } from '../player/curves';
import { bothSides, edited, type KeyLayer, type Layer } from '../take/edits';
import type { Group } from '../take/groups';
import type { Studio } from './studio.svelte';

interface SavedEdits {
  base: string;
  take: string;
  layers: Layer[];
}

const SAVE_AFTER_MS = 400;
const DRAFT = 'edits of ';

/** Edits of the shown take: layers with undo, saved a moment after the last change. */
export class Editing {
  layers = $state.raw<readonly Layer[]>([]);
  /** Layer whose settings are open. */
  selected = $state(-1);
  /** Another tab saved first. */
  conflict = $state(false);
  state = $state<'saved' | 'changed' | 'saving' | 'offline'>('saved');
  /** Id of the edited version on the server; empty: no edits. */
  version = $state('');

  private take: Take | undefined;
  private etag = '*';
  private past = $state.raw<readonly (readonly Layer[])[]>([]);
  private others = $state.raw<Record<string, Curves>>({});
  private timer = 0;

  constructor(private readonly studio: Studio) {}

  get canUndo() {
    return this.past.length > 0;
  }

  /** The curves with all layers applied. */
  readonly shown = $derived.by(() => {
    const { base } = this.studio;
    return base && edited(base, this.layers, (id) => this.others[id]);
  });

  /** Load the edits of a take; a draft that could not be saved comes first. */
  async open(take: Take) {
    clearTimeout(this.timer);
    this.take = take;
    this.layers = this.past = [];
    this.selected = -1;
    this.conflict = false;
    this.state = 'saved';
    this.version = '';
    try {
      await this.reload();
    } catch (error) {
      // Takes that cannot be edited have no edits.
      if (!(error instanceof ApiError && [404, 405, 409].includes(error.problem.status))) throw error;
    }
    const draft = localStorage.getItem(DRAFT + take.id);
    if (draft) this.change(JSON.parse(draft) as Layer[]);
  }

  /** Take over what the server has. */
  async reload() {
    const response = await fetch(`/api/takes/${this.take!.id}/edits`);
    if (!response.ok) throw new ApiError({ title: 'Edits', status: response.status, detail: 'No edits.' });
    const saved = (await response.json()) as SavedEdits;
    await this.fetchTakes(saved.layers);
    this.etag = response.headers.get('ETag') ?? '*';
    this.layers = saved.layers;
    this.version = saved.take;
    this.past = [];
    this.conflict = false;
    this.state = 'saved';
    localStorage.removeItem(DRAFT + this.take!.id);
  }

  /** Replace the layers. Changes of one drag share an undo step: begin it with `remember`. */
  change(layers: readonly Layer[], remember = true) {
    if (remember) this.remember();
    this.layers = layers;
    this.state = 'changed';
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.save(), SAVE_AFTER_MS);
  }

  remember() {
    this.past = [...this.past.slice(-99), this.layers];
  }

  undo() {
    const last = this.past.at(-1);
    if (!last) return;
    this.past = this.past.slice(0, -1);
    this.selected = -1;
    this.change(last, false);
  }

  add(layer: Layer) {
    this.change([...this.layers, layer]);
    this.selected = this.layers.length - 1;
  }

  update(index: number, changed: Partial<Layer>, remember = true) {
    this.change(
      this.layers.map((layer, i) => (i === index ? ({ ...layer, ...changed } as Layer) : layer)),
      remember,
    );
  }

  remove(index: number) {
    this.change(this.layers.filter((_, i) => i !== index));
    this.selected = -1;
  }

  /** A key pose of a channel (and its other side) where the curve is now. */
  addKey(channel: string, t: number, value?: number) {
    const { shown } = this;
    if (!shown) return;
    const now = shown.at(t)[shown.channels.indexOf(channel)] ?? 0;
    const key: KeyLayer = {
      type: 'key',
      channels: bothSides(channel),
      t: rounded(t),
      value: rounded(value ?? now),
      in: 0.12,
      out: 0.12,
      mode: 'set',
    };
    this.add(key);
  }

  /** Save now. */
  async save(force = false) {
    clearTimeout(this.timer);
    const { take, layers } = this;
    if (!take || this.conflict) return;
    this.state = 'saving';
    localStorage.setItem(DRAFT + take.id, JSON.stringify(layers));
    try {
      const response = await fetch(`/api/takes/${take.id}/edits`, {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json', 'If-Match': force ? '*' : this.etag },
        body: JSON.stringify({ layers }),
      });
      if (response.status === 412) {
        this.conflict = true;
        this.state = 'changed';
        return;
      }
      if (!response.ok) throw new ApiError({ ...((await response.json()) as ApiError['problem']) });
      const saved = (await response.json()) as SavedEdits;
      if (this.take?.id !== take.id) return;
      this.etag = response.headers.get('ETag') ?? '*';
      this.version = saved.take;
      localStorage.removeItem(DRAFT + take.id);
      if (this.layers === layers) this.state = 'saved';
    } catch (error) {
      if (error instanceof ApiError) this.studio.problem = error.problem;
      this.state = 'offline'; // the draft stays in this browser and is saved with the next change
    }
  }

  /** Keep this tab's layers although another tab saved first. */
  async keepMine() {
    this.conflict = false;
    await this.save(true);
  }

  /** Generate a stretch of some groups with another seed; the rest keeps its bits. */
  async reroll(t0: number, t1: number, groups: Group[]) {
    const { take } = this;
    if (!take) return;
    if (this.state !== 'saved') await this.save();
    await this.studio.guarded(async () => {
      this.studio.work = { title: `Re-roll ${groups.join(', ')}`, stage: 'Starting', share: undefined };
      const seed = Math.floor(Math.random() * 2 ** 31);
      const job = await send<Job>('POST', `/takes/${take.id}/reroll`, { t0, t1, groups, seed });
      await this.studio.follow(job.id);
      const before = this.layers;
      await this.reload();
      this.past = [before];
    });
  }

  /** Curves of the takes that `take` layers name. */
  private async fetchTakes(layers: readonly Layer[]) {
    const wanted = layers.flatMap((layer) => (layer.type === 'take' ? [layer.take_id] : []));
    const missing = [...new Set(wanted)].filter((id) => !(id in this.others));
    const found = await Promise.all(missing.map((id) => bytes(`/takes/${id}/curves?avatar=raw`)));
    this.others = { ...this.others, ...Object.fromEntries(missing.map((id, i) => [id, curves(found[i]!)])) };
  }
}

/** Times and values as they are worth writing down. */
export const rounded = (value: number) => Math.round(value * 1000) / 1000;
