/** Answers of the server, as far as the page uses them. */
export interface MethodSummary {
  name: string;
  title: string;
  output: 'motion' | 'frames';
  space: string;
  fps: number;
  streams: boolean;
  look_ahead_s: number | null;
  delays: number[];
  /** Why it needs the whole recording; empty: it streams. */
  whole_recording: string;
  loaded: boolean;
  available: boolean;
}

export interface FormatSummary {
  ending: string;
  face: boolean;
  body: boolean;
  avatar: boolean;
  pictures: boolean;
  /** It shows a shipped figure, unless it shows an avatar. */
  figure: boolean;
}

export interface Health {
  state: 'loading' | 'ready' | 'failed';
  version: string;
  methods: MethodSummary[];
  default_method: string;
  formats: FormatSummary[];
  limits: Record<string, number>;
  /** What each shipped figure looks like, by its name; the first is the default one. */
  figures: Record<string, string>;
  problem: string;
}

export interface OptionSchema {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  enum?: (string | number)[];
  minimum?: number;
  maximum?: number;
  anyOf?: OptionSchema[];
}

export interface Method extends MethodSummary {
  styles: string[];
  options: { properties: Record<string, OptionSchema> };
  /** Without properties for methods on which nothing of it acts. */
  postprocess: { properties: Record<string, OptionSchema> };
}

export interface Sound {
  id: string;
  name: string;
  seconds: number;
  rate: number;
  channels: number;
  layout: string;
  url: string;
  /** WAV that every browser plays. */
  playable_url: string;
  peaks_url: string;
}

export interface Postprocess {
  intensity: number;
  /** `NAME=WEIGHT[@SECONDS],...` */
  emotion: string;
  head: boolean;
  head_scale: number;
  gestures: boolean;
  /** `camera`, `free`, `method`, or degrees to the left and up. */
  gaze: string;
  blink: boolean;
  close_end: boolean;
}

export type OptionValue = string | number | boolean;

export interface TakeRequest {
  sound: string;
  method: string;
  options: Record<string, OptionValue>;
  postprocess?: Partial<Postprocess>;
  seed: number;
  fps?: number;
  text?: string;
  source?: string;
}

export interface Take {
  id: string;
  sound: string;
  state: 'made' | 'edited' | 'imported' | 'rerolled';
  parent: string;
  method: string;
  seed: number;
  options: Record<string, OptionValue>;
  postprocess: Partial<Postprocess>;
  kind: 'motion' | 'pictures';
  space: string;
  fps: number;
  frames: number;
  seconds: number;
  command: string;
  /** Id of the edited version; empty: not edited. */
  edited: string;
  file_url: string;
  curves_url: string;
  check_url: string;
}

export interface Remark {
  t0: number | null;
  t1: number | null;
  what: string;
  remedy?: string;
}

export interface Score {
  id: string;
  value: number;
  unit: string;
  about: string;
  low?: number | null;
  high?: number | null;
  ok?: boolean | null;
}

export interface Check {
  scores: Score[];
  remarks: Remark[];
}

export interface Span {
  t0: number;
  t1: number;
  label: string;
}

export interface Phones {
  words: Span[];
  phones: Span[];
}

export interface Problem {
  title: string;
  status: number;
  detail: string;
  remedy?: string;
}

export interface Job {
  id: string;
  kind: string;
  state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled' | 'interrupted';
  stage: string;
  done: number;
  total: number;
  eta_s: number | null;
  /** Jobs before it, while it is queued. */
  place: number;
  problem: Problem | null;
  result: { take: string; url: string; name: string } | null;
  request: object;
}

export interface Person {
  id: string;
  name: string;
  consent: string;
  /** Something is learnt already. */
  ready: boolean;
  preview_url: string;
  quality: string[];
}

export interface Avatar {
  id: string;
  name: string;
  kind: 'glb' | 'vrm' | 'house';
  matched: string[];
  missed: string[];
  ignored: string[];
  bones: string[];
  /** What the mouth speaks by; empty: nothing is known yet. */
  mouth: string;
  /** Its shape to the ARKit shape that its name resembles. */
  suggestions: Record<string, string>;
  /** What was assigned by hand. */
  mapping: Record<string, unknown>;
}
