"use strict";
// sharp behind Node's own http server: a picture is posted, the finished JPEG is the answer. Settings come from the
// environment, so that they can be tried against one another: SHARP_PROCESSES, SHARP_CONCURRENCY, SHARP_CACHE,
// SHARP_SIMD, SHARP_OPTIMISE, and SHARP_SOCKET, a unix socket's path in place of a port; UV_THREADPOOL_SIZE is Node's
// own. Says in one line of JSON where it listens and what it runs on.
//
//   POST /?width=300&height=300&quality=80            a JPEG of that size; of its own size without width and height
//   POST /?...&raw_width=1920&raw_height=1080         the body is RGB pixels

const cluster = require("node:cluster");
const http = require("node:http");
const sharp = require("sharp");

const setting = (name, otherwise) => Number(process.env[name] || otherwise); // empty: as it comes

const PROCESSES = setting("SHARP_PROCESSES", 1);
const BODY_BYTES_MAX = 64 << 20;
const PIXELS_MAX = 50_000_000;
// Huffman tables made for each picture: a tenth of its bytes for a third of its time. sharp's default is 1.
const OPTIMISE = setting("SHARP_OPTIMISE", 1) !== 0;

function finished(body, asked) {
  const number = (name) => Number(asked.get(name));
  const options = { limitInputPixels: PIXELS_MAX, sequentialRead: true };
  if (asked.has("raw_width")) {
    options.raw = { width: number("raw_width"), height: number("raw_height"), channels: 3 };
  }
  let picture = sharp(body, options);
  if (asked.has("width")) {
    picture = picture.resize(number("width"), number("height"), { kernel: "lanczos3", fit: "cover" });
  }
  return picture.jpeg({ quality: number("quality"), chromaSubsampling: "4:2:0", optimiseCoding: OPTIMISE }).toBuffer();
}

function answer(request, response) {
  const bytes = Number(request.headers["content-length"]);
  if (request.method !== "POST" || !(bytes > 0 && bytes <= BODY_BYTES_MAX)) {
    request.resume();
    response.writeHead(400).end();
    return;
  }
  const body = Buffer.allocUnsafeSlow(bytes); // one copy out of the socket's chunks, none to join them
  let filled = 0;
  request.on("data", (chunk) => {
    filled += chunk.copy(body, filled);
  });
  request.on("end", () => {
    finished(body, new URLSearchParams(request.url.slice(request.url.indexOf("?") + 1))).then(
      (picture) => {
        response.writeHead(200, { "Content-Type": "image/jpeg", "Content-Length": picture.length });
        response.end(picture);
      },
      (error) => response.writeHead(422, { "Content-Type": "text/plain" }).end(String(error)),
    );
  });
}

function serve() {
  if (process.env.SHARP_CONCURRENCY) sharp.concurrency(setting("SHARP_CONCURRENCY"));
  if (process.env.SHARP_CACHE) sharp.cache(setting("SHARP_CACHE") !== 0);
  if (process.env.SHARP_SIMD) sharp.simd(setting("SHARP_SIMD") !== 0);
  const server = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, answer);
  const socket = process.env.SHARP_SOCKET;
  server.listen(socket ? { path: socket } : { port: 0, host: "127.0.0.1" }, () => {
    const versions = { sharp: sharp.versions.sharp, vips: sharp.versions.vips, node: process.versions.node };
    const settings = { concurrency: sharp.concurrency(), simd: sharp.simd() };
    const address = socket || `127.0.0.1:${server.address().port}`;
    const ready = { address, versions, settings };
    if (cluster.isWorker) process.send(ready);
    else console.log(JSON.stringify(ready));
  });
}

if (PROCESSES > 1 && cluster.isPrimary) {
  let waiting = PROCESSES;
  cluster.schedulingPolicy = cluster.SCHED_RR;
  for (let index = 0; index < PROCESSES; index += 1) {
    cluster.fork().on("message", (ready) => {
      waiting -= 1;
      if (waiting === 0) console.log(JSON.stringify(ready));
    });
  }
  cluster.on("exit", () => process.exit(1));
} else {
  serve();
}

// The one who started us holds our stdin: when that ends, so do we.
if (cluster.isPrimary) process.stdin.on("end", () => process.exit(0)).resume();
