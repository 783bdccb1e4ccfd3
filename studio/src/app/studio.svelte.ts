import { ApiError, bytes, finished, get, send, upload } from '../api/client';
import type {
  Avatar,
  Check,
  Health,
  Job,
  Method,
  OptionValue,
  Phones,
  Postprocess,
  Problem,
  Sound,
  Take,
  TakeRequest,
} from '../api/types';
import { type Curves, curves } from '../player/curves';
import { PLAIN } from '../take/acting';
import { commandLine } from '../take/command';
import { Playback } from '../take/playback.svelte';
import { Editing } from './editing.svelte';

/** What the page is busy with. */
export interface Work {
  title: string;
  stage: string;
  /** 0..1, or undefined while it cannot be known. */
  share: number | undefined;
  eta?: number;
  job?: string;
}

export interface Settings extends Postprocess {
  method: string;
  options: Record<string, OptionValue>;
  seed: number;
  text: string;
}

const TRANSCRIPT = 'transcript of ';
const FIGURE = 'figure';
const REST: Settings = { ...PLAIN, method: '', options: {}, seed: 0, text: '' };

/** State of the Studio tab; every part of the page reads and changes it here. */
export class Studio {
  health = $state<Health>();
  offline = $state(false);
  problem = $state<Problem>();
  work = $state<Work>();

  sounds = $state<Sound[]>([]);
  sound = $state<Sound>();
  peaks = $state.raw<Int8Array>();
  takes = $state<Take[]>([]);
  take = $state<Take>();
  check = $state<Check>();
  phones = $state<Phones>();
  /** Curves of the take in the house space, before edits. */
  base = $state.raw<Curves>();
  avatars = $state<Avatar[]>([]);
  avatar = $state<Avatar>();
  /** The shipped figure that is shown without an avatar; empty: the default one. */
  figure = $state(localStorage.getItem(FIGURE) ?? '');
  /** Rises when an avatar's mapping has changed, so that it is loaded again. */
  mapped = $state(0);
  method = $state<Method>();
  settings = $state<Settings>({ ...REST });

  readonly playback = new Playback();
  readonly editing = new Editing(this);

  get state(): 'connecting' | 'loading' | 'ready' | 'failed' {
    return this.health?.state ?? 'connecting';
  }

  /** Curves as the figure shows them. */
  get shown(): Curves | undefined {
    return this.editing.shown;
  }

  /** Show a shipped figure; the choice is kept for the next visit. */
  cast(name: string) {
    this.avatar = undefined;
    this.figure = name === Object.keys(this.health?.figures ?? {})[0] ? '' : name;
    localStorage.setItem(FIGURE, this.figure);
  }

  /** Methods that move a face. */
  get faceMethods() {
    return (this.health?.methods ?? []).filter((m) => m.available && m.space === 'arkit');
  }

  /** The settings that act on the chosen method's motion; a head that is held has no scale. */
  get postprocess(): Partial<Postprocess> {
    const { settings } = this;
    const acting = this.method?.postprocess.properties ?? {};
    const names = (Object.keys(PLAIN) as (keyof Postprocess)[]).filter((name) => name in acting);
    const found: Partial<Postprocess> = Object.fromEntries(names.map((name) => [name, settings[name]]));
    return settings.head ? found : { ...found, ...('head_scale' in found && { head_scale: 1 }) };
  }

  /** The command that makes the shown take. */
  command(outputs: string[], flags: string[] = []): string {
    const { take } = this;
    const made = take?.state === 'made' ? take : undefined;
    const { text, ...options } = (made?.options ?? this.settings.options) as Record<string, OptionValue>;
    return commandLine({
      sound: this.sound?.name ?? 'speech.wav',
      method: made?.method ?? this.settings.method,
      options,
      postprocess: made?.postprocess ?? this.postprocess,
      seed: made?.seed ?? this.settings.seed,
      ...(text ? { text: String(text) } : {}),
      ...(this.editing.layers.length ? { edits: this.editsName } : {}),
      flags,
      outputs,
    });
  }

  /** Name of the file with the edits of the shown take. */
  get editsName(): string {
    const { take, sound } = this;
    const stem = (sound?.name ?? 'take').replace(/\.[^.]+$/, '');
    return `${stem}-${take?.method ?? ''}-${take?.seed ?? 0}.edits.json`;
  }

  /** Ask the server until it is ready, then for what it keeps. */
  async start() {
    for (;;) {
      try {
        const before = this.offline;
        this.health = await get<Health>('/health');
        this.offline = false;
        if (before) this.problem = undefined;
        if (!(this.figure in this.health.figures)) this.figure = '';
        if (this.health.state !== 'loading') break;
      } catch {
        this.offline = true;
      }
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    await this.guarded(async () => {
      const [{ sounds }] = await Promise.all([
        get<{ sounds: Sound[] }>('/sounds'),
        this.choose(this.health!.default_method),
      ]);
      this.sounds = sounds;
    });
    await get<{ avatars: Avatar[] }>('/avatars').then(
      ({ avatars }) => (this.avatars = avatars.filter((a) => a.id !== 'house')),
      () => {},
    );
  }

  /** Use a method: its styles and options, with their defaults. */
  async choose(name: string) {
    this.method = await get<Method>(`/methods/${name}`);
    this.settings = { ...this.settings, method: name, options: {} };
  }

  async addSound(file: File) {
    await this.guarded(async () => {
      this.playback.pause();
      this.work = { title: file.name, stage: 'Uploading', share: 0 };
      const sound = await upload<Sound>('/sounds', file, (share) => {
        if (this.work) this.work.share = share;
      });
      await this.adopt(sound);
    });
  }

  /** Upload a sound without opening it in the studio. */
  async addSoundOnly(file: File) {
    await this.guarded(async () => {
      const sound = await upload<Sound>('/sounds', file);
      this.sounds = [sound, ...this.sounds.filter((s) => s.id !== sound.id)];
    });
  }

  /** Speak a text; returns whether there is a voice that could. */
  async speak(text: string): Promise<boolean> {
    let spoken = false;
    await this.guarded(async () => {
      this.playback.pause();
      this.work = { title: text.slice(0, 60), stage: 'Speaking', share: undefined };
      const { sound, phones } = await send<{ sound: Sound; phones: Phones }>('POST', '/speech', { text });
      // Not every voice speaks clearly enough for the times of its words to be found.
      if (phones.words.length) localStorage.setItem(TRANSCRIPT + sound.id, text);
      spoken = true;
      await this.adopt(sound);
    });
    return spoken;
  }

  async addDemo() {
    await this.guarded(async () => {
      this.work = { title: 'demo.flac', stage: 'Uploading', share: undefined };
      const demo = await (await fetch('/demo.flac')).blob();
      await this.adopt(await upload<Sound>('/sounds', new File([demo], 'demo.flac')));
    });
  }

  private async adopt(sound: Sound) {
    this.sounds = [sound, ...this.sounds.filter((s) => s.id !== sound.id)];
    await this.open(sound);
    if (!this.take) await this.makeTake();
  }

  /** Show a sound and its newest take. */
  async open(sound: Sound) {
    this.sound = sound;
    this.forget();
    this.playback.load(sound.playable_url, sound.seconds);
    const [peaks, takes] = await Promise.all([
      bytes(`/sounds/${sound.id}/peaks?px=4000`),
      get<{ takes: Take[] }>('/takes?count=200'),
    ]);
    this.peaks = new Int8Array(peaks);
    this.takes = takes.takes.filter(
      ({ sound: own, space, state }) => own === sound.id && space === 'arkit' && ['made', 'imported'].includes(state),
    );
    if (this.takes[0]) await this.show(this.takes[0]);
    const transcript = localStorage.getItem(TRANSCRIPT + sound.id);
    if (transcript) await this.transcribe(transcript);
  }

  /** Words and phones of the sound from its transcript; methods that can use it get it too. */
  async transcribe(text: string) {
    const { sound } = this;
    if (!sound) return;
    this.settings.text = text;
    this.phones = undefined;
    if (text) localStorage.setItem(TRANSCRIPT + sound.id, text);
    else localStorage.removeItem(TRANSCRIPT + sound.id);
    if (!text) return;
    await this.guarded(async () => {
      const phones = await send<Phones>('POST', `/sounds/${sound.id}/phones`, { text });
      if (this.sound?.id === sound.id) this.phones = phones;
    });
  }

  private forget() {
    this.take = this.base = this.check = this.phones = this.peaks = undefined;
    this.takes = [];
    this.settings.text = '';
  }

  /** Make a take with the present settings and play it. */
  async makeTake(playNow = true) {
    const { sound, settings } = this;
    if (!sound) return;
    await this.guarded(async () => {
      const { method, options, seed, text } = settings;
      const request: TakeRequest = { sound: sound.id, method, options, seed, postprocess: this.postprocess };
      if (text && this.method && 'text' in this.method.options.properties) request.text = text;
      this.work = { title: sound.name, stage: 'Waiting for a free worker', share: undefined };
      const answer = await send<{ job: Job | null; take: Take | null }>('POST', '/takes', request);
      const take = answer.take ?? (await get<Take>(`/takes/${(await this.follow(answer.job!.id)).take}`));
      this.takes = [take, ...this.takes.filter((t) => t.id !== take.id)];
      await this.show(take);
      this.work = undefined;
      if (playNow) {
        this.playback.seek(0);
        await this.playback.play();
      }
    });
  }

  /** Show a take: its curves, then what is known about it. */
  async show(take: Take) {
    this.base = curves(await bytes(`/takes/${take.id}/curves?avatar=raw`));
    this.take = take;
    await this.editing.open(take);
    this.check = undefined;
    void get<Check>(`/takes/${take.id}/check`).then(
      (check) => this.take?.id === take.id && (this.check = check),
      () => {},
    );
  }

  /** Follow a job in the progress card. */
  async follow(job: string): Promise<NonNullable<Job['result']>> {
    if (this.work) this.work.job = job;
    return finished(job, ({ state, stage, done, total, eta_s, place }) => {
      if (!this.work) return;
      const queued = state === 'queued';
      if (queued) this.work.stage = place ? `Waiting, ${place} before it` : 'Starting';
      else this.work.stage = stage ? stage[0]!.toUpperCase() + stage.slice(1) : 'Generating';
      this.work.share = !queued && total ? done / total : undefined;
      this.work.eta = eta_s ?? undefined;
    });
  }

  async cancel() {
    const job = this.work?.job;
    if (job) await send('DELETE', `/jobs/${job}`).catch(() => {});
  }

  async addAvatar(file: File) {
    await this.guarded(async () => {
      this.work = { title: file.name, stage: 'Uploading', share: 0 };
      const avatar = await upload<Avatar>('/avatars', file, (share) => {
        if (this.work) this.work.share = share;
      });
      this.avatars = [avatar, ...this.avatars.filter((a) => a.id !== avatar.id)];
      this.avatar = avatar;
    });
  }

  /** Assign shapes of an avatar by hand; an empty assignment returns to what is found by name. */
  async mapAvatar(avatar: Avatar, shapes: Record<string, string | null>) {
    await this.guarded(async () => {
      const changed = await send<Avatar>('PUT', `/avatars/${avatar.id}/mapping`, { shapes, bones: {} });
      this.avatars = this.avatars.map((a) => (a.id === changed.id ? changed : a));
      this.avatar = changed;
      this.mapped += 1;
    });
  }

  /** Run something that may be refused; shows the refusal. */
  async guarded(action: () => Promise<void>) {
    this.problem = undefined;
    try {
      await action();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.problem.status !== 499) this.problem = error.problem;
    } finally {
      this.work = undefined;
    }
  }
}

export const studio = new Studio();
