// src/player/avatar.ts
function e(e, t) {
	let i = e.userData.vrm, a = n(e.scene), o = [], s = 0, c = [];
	for (let e of t.channels) {
		let t = r(e, a, i);
		t ? c.push([t, s]) : o.push(e.target ?? e.name ?? e.bone ?? e.node ?? e.kind), s += e.size;
	}
	let l = (e) => c.forEach(([t, n]) => t(e, n));
	return {
		pose: l,
		rest: () => l(t.rest),
		missing: o
	};
}
var t = (e) => e.replace(/\s/g, "_").replace(/[[\].:/]/g, "");
function n(e) {
	let t = /* @__PURE__ */ new Map();
	return e.traverse((e) => {
		for (let n of /* @__PURE__ */ new Set([
			e.name,
			e.userData?.name,
			""
		])) n !== void 0 && t.set(n, [...t.get(n) ?? [], e]);
	}), t;
}
function r(e, n, r) {
	let { kind: i, target: a = "", name: o = "", bone: s = "" } = e;
	if (i === "expression") {
		let e = r?.expressionManager;
		return e ? (t, n) => e.setValue(o, t[n]) : void 0;
	}
	if (i === "look") {
		let e = r?.lookAt;
		return e ? (t, n) => {
			e.yaw = t[n], e.pitch = t[n + 1];
		} : void 0;
	}
	let c = e.node ?? "", l = n.get(c) ?? n.get(t(c)) ?? [];
	if (i === "rotation") {
		let e = s && r?.humanoid?.getNormalizedBoneNode(s) || l[0];
		return e && ((t, n) => void e.quaternion.set(t[n], t[n + 1], t[n + 2], t[n + 3]));
	}
	if (i === "position") {
		let e = l[0]?.position;
		return e && ((t, n) => void e.set(t[n], t[n + 1], t[n + 2]));
	}
	let u = /* @__PURE__ */ new Set();
	for (let e of l) e.traverse((e) => {
		e.morphTargetDictionary && a in e.morphTargetDictionary && u.add(e);
	});
	if (u.size) return (e, t) => {
		for (let n of u) n.morphTargetInfluences[n.morphTargetDictionary[a]] = e[t];
	};
}
// src/player/curves.ts
function i(e, t, n) {
	let r = t.length, i = n.length / r;
	return {
		fps: e,
		frames: i,
		channels: t,
		values: n,
		at: (t, a = new Float32Array(r)) => {
			let o = Math.min(Math.max(t * e, 0), i - 1), s = Math.floor(o), c = o - s, l = s * r, u = Math.min(s + 1, i - 1) * r;
			for (let e = 0; e < r; e++) {
				let t = n[l + e];
				a[e] = t + c * (n[u + e] - t);
			}
			return a;
		}
	};
}
function a(e) {
	let t = new DataView(e).getUint32(0, !0), n = JSON.parse(new TextDecoder().decode(new Uint8Array(e, 4, t))), r = n.channels.map((e) => typeof e == "string" ? e : e.name ?? ""), a = (e.byteLength - 4 - t) / 4;
	if (!n.frames || a % n.frames) throw RangeError(`${a} values are no ${n.frames} whole frames`);
	let o = new Float32Array(e.slice(4 + t)), s = a / n.frames;
	for (; r.length < s;) r.push("");
	return i(n.fps, r.slice(0, s), o);
}
// src/player/live.ts
var o = 16e3;
function s(e, t = {}) {
	let n = new AudioContext({ sampleRate: o }), r = new URL(e, location.href);
	r.protocol = r.protocol.replace("http", "ws");
	let i = new WebSocket(r, "motet.live.1");
	i.binaryType = "arraybuffer";
	let a = {}, s = (e, t) => a[e]?.forEach((e) => e(t)), l = (e) => {
		i.readyState === WebSocket.OPEN && i.send(JSON.stringify(e));
	}, u = n.createDelay(5);
	t.echo && u.connect(n.destination);
	let d, f = .45, p, m = [], h = [], g = 0, _ = !0, v = 25;
	i.onopen = () => l({
		type: "hello",
		rate: o,
		format: "s16",
		method: t.method ?? "artalk",
		options: t.options ?? {},
		delay_s: t.delay ?? "auto",
		avatar: t.avatar ?? "house",
		echo: !1,
		seed: t.seed ?? 0
	}), i.onclose = (e) => {
		_ = !1, s("close", {
			code: e.code,
			reason: e.reason
		});
	}, i.onmessage = ({ data: e }) => {
		if (typeof e != "string") return y(e);
		let { type: t, ...n } = JSON.parse(e);
		if (t === "ready" && (f = n.delay_s.advice, v = n.fps, u.delayTime.value = f, requestAnimationFrame(b)), t === "stats") {
			let e = h.sort((e, t) => e - t);
			return h = [], s("stats", {
				...n,
				late: g,
				delay_s: e[e.length >> 1]
			});
		}
		s(t === "error" ? "problem" : t, n.problem ?? n);
	};
	function y(e) {
		let t = new DataView(e), r = Number(t.getBigUint64(4, !0)), [i, a] = [t.getUint16(12, !0), t.getUint16(14, !0)];
		for (let e = 0; e < i; e++) {
			let i = new Float32Array(a);
			for (let n = 0; n < a; n++) i[n] = c(t.getUint16(16 + 2 * (e * a + n), !0));
			let s = r / o + e / v;
			if (m.push({
				seconds: s,
				values: i
			}), p !== void 0) {
				let e = n.currentTime - p - s;
				h.push(e), e > f && (g += 1);
			}
		}
	}
	function b() {
		if (_) {
			if (p !== void 0) {
				let e = n.currentTime - p - f, t;
				for (; m.length && m[0].seconds <= e;) t = m.shift();
				t && s("frame", t.values);
			}
			requestAnimationFrame(b);
		}
	}
	function x(e, t) {
		return (a[e] ??= []).push(t), w;
	}
	async function S(e) {
		d = await navigator.mediaDevices.getUserMedia({ audio: {
			deviceId: e,
			echoCancellation: !t.echo,
			channelCount: 1
		} }), await n.resume(), await n.audioWorklet.addModule(new URL("/capture.js", r.href.replace(/^ws/, "http")));
		let a = n.createMediaStreamSource(d), c = new AudioWorkletNode(n, "motet-capture", { numberOfOutputs: 0 });
		a.connect(c), a.connect(u), c.port.onmessage = ({ data: e }) => {
			if (i.readyState !== WebSocket.OPEN) return;
			p ??= n.currentTime - e.length / o;
			let t = 0, r = Int16Array.from(e, (e) => (t = Math.max(t, Math.abs(e)), Math.max(-1, Math.min(1, e)) * 32767));
			i.send(r), s("level", t);
		};
	}
	function C() {
		_ = !1, d?.getTracks().forEach((e) => e.stop()), i.close(1e3), n.close();
	}
	let w = {
		on: x,
		microphone: S,
		close: C,
		interrupt: () => {
			m = [], l({ type: "interrupt" });
		},
		flush: () => l({ type: "flush" }),
		set: (e) => l({
			type: "set",
			options: e
		})
	};
	return w;
}
function c(e) {
	let t = e >> 10 & 31, n = e & 1023, r = e >> 15 ? -1 : 1;
	return t === 31 ? n ? NaN : r * 1e400 : t ? r * 2 ** (t - 15) * (1 + n / 1024) : r * 2 ** -14 * (n / 1024);
}
export { e as attach, s as connect, a as curves };
