/** The theme: the system's, unless the user has chosen one. */
const dark = matchMedia('(prefers-color-scheme: dark)');

class Theme {
  private chosen = $state(localStorage.getItem('theme'));
  private system = $state(dark.matches);

  constructor() {
    dark.addEventListener('change', () => (this.system = dark.matches));
    this.apply();
  }

  get dark() {
    return this.chosen ? this.chosen === 'dark' : this.system;
  }

  toggle() {
    this.chosen = this.dark ? 'light' : 'dark';
    localStorage.setItem('theme', this.chosen);
    this.apply();
  }

  private apply() {
    if (this.chosen) document.documentElement.dataset.theme = this.chosen;
  }
}

export const theme = new Theme();
