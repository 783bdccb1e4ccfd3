import type { Group } from './groups';

/** A marked stretch. */
export interface Region {
  t0: number;
  t1: number;
  /** What is likely to be changed in it; left out: what was chosen before. */
  groups?: Group[];
}

/** The sound of the page: the one clock that figure, timeline and numbers follow. */
export class Playback {
  playing = $state(false);
  /** Seconds, refreshed once a picture while playing. */
  seconds = $state(0);
  duration = $state(0);
  rate = $state(1);
  loop = $state(false);
  /** Marked stretch; a loop stays inside it. */
  region = $state<Region | undefined>();
  /** The browser cannot decode this sound. */
  silent = $state(false);

  private readonly element = new Audio();
  private frame = 0;

  constructor() {
    this.element.preload = 'auto';
    this.element.addEventListener('ended', () => this.ended());
    this.element.addEventListener('pause', () => (this.playing = false));
    this.element.addEventListener('play', () => {
      this.playing = true;
      this.follow();
    });
    this.element.addEventListener('error', () => (this.silent = Boolean(this.element.getAttribute('src'))));
  }

  /** The time of the sound at this moment. */
  now(): number {
    return this.playing ? this.element.currentTime : this.seconds;
  }

  load(url: string, duration: number) {
    this.pause();
    this.silent = false;
    this.region = undefined;
    this.duration = duration;
    this.element.src = url;
    this.element.playbackRate = this.rate;
    this.seconds = 0;
  }

  clear() {
    this.pause();
    this.element.removeAttribute('src');
    this.element.load();
    this.duration = this.seconds = 0;
  }

  async play() {
    if (!this.duration) return;
    const { region } = this;
    if (region && (this.seconds < region.t0 - 0.01 || this.seconds >= region.t1 - 0.02)) this.seek(region.t0);
    else if (this.seconds >= this.duration - 0.02) this.seek(0);
    // Refused before the first click on the page: then the play button waits for one.
    await this.element.play().catch(() => {});
  }

  pause() {
    this.element.pause();
  }

  toggle() {
    if (this.playing) this.pause();
    else void this.play();
  }

  seek(seconds: number) {
    const target = Math.min(Math.max(seconds, 0), this.duration);
    this.element.currentTime = target;
    this.seconds = target;
  }

  setRate(rate: number) {
    this.rate = rate;
    this.element.playbackRate = rate;
  }

  private follow() {
    cancelAnimationFrame(this.frame);
    const step = () => {
      if (!this.playing) return;
      this.seconds = this.element.currentTime;
      const end = this.region?.t1;
      if (end !== undefined && this.seconds >= end) {
        if (this.loop) this.seek(this.region!.t0);
        else {
          this.pause();
          this.seek(end);
        }
      }
      this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  private ended() {
    if (this.loop) {
      this.seek(this.region?.t0 ?? 0);
      void this.element.play();
    } else {
      this.playing = false;
      this.seconds = this.duration;
    }
  }
}
