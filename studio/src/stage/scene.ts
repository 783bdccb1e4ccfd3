import {
  Box3,
  DirectionalLight,
  HemisphereLight,
  NeutralToneMapping,
  type Object3D,
  PerspectiveCamera,
  PMREMGenerator,
  Scene,
  Vector3,
  WebGLRenderer,
} from 'three';
import { OrbitControls } from 'three/addons/controls/OrbitControls.js';
import { RoomEnvironment } from 'three/addons/environments/RoomEnvironment.js';

/** Camera views: angle around the figure in degrees, height of the picture in metres, middle. */
export const VIEWS = {
  front: { angle: 0, height: 0.46, lift: -0.045 },
  quarter: { angle: 34, height: 0.46, lift: -0.045 },
  side: { angle: 88, height: 0.46, lift: -0.045 },
  mouth: { angle: 0, height: 0.15, lift: -0.075 },
  body: { angle: 12, height: 2.0, lift: -0.74 },
} as const;
export type View = keyof typeof VIEWS;

/** Pixels drawn for each pixel of the page, a side, without a GPU: while it moves, and at rest. */
const COARSE = 0.75;
const FINE = 2;
/** Rest before the fine picture: longer than between two frames, shorter than a look. */
const STILL_MS = 300;

/** Whether pictures are computed by the processor, as in virtual machines: then draw plainly. */
function withoutGpu(): boolean {
  const gl = document.createElement('canvas').getContext('webgl2');
  const info = gl?.getExtension('WEBGL_debug_renderer_info');
  const name = info ? String(gl!.getParameter(info.UNMASKED_RENDERER_WEBGL)) : '';
  gl?.getExtension('WEBGL_lose_context')?.loseContext();
  return /swiftshader|llvmpipe|softpipe|basic render/i.test(name);
}

/** A stage that draws only when something has changed: a laptop stays cool and quiet. */
export class Stage {
  readonly scene = new Scene();
  /** Called before each picture; returns whether the picture changes again. */
  beforeDraw: (seconds: number) => boolean = () => false;

  /** Called after each picture with a figure. */
  onDrawn: () => void = () => {};

  private readonly renderer: WebGLRenderer;
  private readonly plain: boolean;
  private readonly camera = new PerspectiveCamera(20, 1, 0.05, 50);
  private readonly controls: OrbitControls;
  private readonly sizes: ResizeObserver;
  private readonly head = new Vector3(0, 1.6, 0);
  private figure: Object3D | undefined;
  private request = 0;
  private last = 0;
  private view: View = 'front';
  private raised = 0;
  private still = 0;

  /** @throws Error when the browser has no WebGL. */
  constructor(private readonly canvas: HTMLCanvasElement) {
    this.plain = withoutGpu();
    this.renderer = new WebGLRenderer({ canvas, antialias: !this.plain, alpha: true });
    // Keeps the colours of the file, as the pictures of an mp4 do; a film curve darkened hair and skin.
    this.renderer.toneMapping = NeutralToneMapping;
    this.renderer.toneMappingExposure = 1.5;
    this.light();
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.enablePan = false;
    this.controls.minDistance = 0.3;
    this.controls.maxDistance = 9;
    this.controls.addEventListener('change', () => this.draw());
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(canvas.parentElement!);
    this.resize();
  }

  private light() {
    if (this.plain) this.scene.add(new HemisphereLight(0xffffff, 0x8a8078, 1.1));
    else {
      const room = new PMREMGenerator(this.renderer);
      this.scene.environment = room.fromScene(new RoomEnvironment(), 0.04).texture;
      this.scene.environmentIntensity = 0.42;
      room.dispose();
    }
    const key = new DirectionalLight(0xfff1e0, 2.1);
    key.position.set(-0.9, 2.6, 2.0);
    const rim = new DirectionalLight(0xbfd6ff, 1.5);
    rim.position.set(1.4, 2.2, -1.6);
    const fill = new DirectionalLight(0xffffff, 0.35);
    fill.position.set(1.5, 1.4, 2);
    this.scene.add(key, rim, fill);
  }

  /** Put a figure on the stage in place of the former one, and look at its face. */
  show(figure: Object3D, headNode?: Object3D) {
    if (this.figure) this.scene.remove(this.figure);
    this.figure = figure;
    this.scene.add(figure);
    figure.updateMatrixWorld(true);
    // Morph targets and skins leave the bounds of the mesh at rest.
    figure.traverse((node) => (node.frustumCulled = false));
    const box = new Box3().setFromObject(figure);
    if (headNode) headNode.getWorldPosition(this.head).add(new Vector3(0, 0.055, 0.03));
    else this.head.set((box.min.x + box.max.x) / 2, box.max.y - 0.13, 0);
    this.look(this.view);
  }

  /** Raise the figure by a share of the picture's height, when something covers the lower part. */
  raise(share: number) {
    if (share === this.raised) return;
    this.raised = share;
    this.look(this.view);
  }

  /** Move the camera to a view. */
  look(view: View) {
    this.view = view;
    const { angle, height, lift } = VIEWS[view];
    // A narrow picture must hold the width of the shoulders too.
    const needed = Math.max(height, (height * 0.82) / this.camera.aspect);
    const middle = this.head.clone().add(new Vector3(0, lift - this.raised * needed, 0));
    const distance = needed / 2 / Math.tan((this.camera.fov * Math.PI) / 360);
    const turn = (angle * Math.PI) / 180;
    this.controls.target.copy(middle);
    this.camera.position.set(
      middle.x + distance * Math.sin(turn),
      middle.y,
      middle.z + distance * Math.cos(turn),
    );
    this.controls.update();
    this.draw();
  }

  /** Ask for a picture. */
  draw() {
    this.request ||= requestAnimationFrame((time) => {
      this.request = 0;
      const seconds = Math.min((time - this.last) / 1000, 0.1);
      this.last = time;
      const moves = this.beforeDraw(seconds);
      if (moves) this.draw();
      if (this.plain) this.sharpen(moves);
      this.renderer.render(this.scene, this.camera);
      if (this.figure) this.onDrawn();
    });
  }

  /**
   * Without a GPU a moving picture has one sample for each pixel and less, so strands of hair and
   * lashes are dotted. Once nothing moves, one picture with four samples a pixel takes its place.
   */
  private sharpen(moves: boolean) {
    clearTimeout(this.still);
    this.samples(COARSE);
    if (moves) return;
    this.still = window.setTimeout(() => {
      this.samples(FINE);
      this.renderer.render(this.scene, this.camera);
    }, STILL_MS);
  }

  private samples(ratio: number) {
    if (this.renderer.getPixelRatio() !== ratio) this.renderer.setPixelRatio(ratio);
  }

  dispose() {
    cancelAnimationFrame(this.request);
    this.request = -1;
    clearTimeout(this.still);
    this.sizes.disconnect();
    this.controls.dispose();
    this.renderer.dispose();
  }

  private resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas.parentElement!;
    if (!width || !height) return;
    this.renderer.setPixelRatio(this.plain ? COARSE : Math.min(devicePixelRatio, 2));
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    if (this.figure) this.look(this.view);
    this.draw();
  }
}
