// Build: our modules and NiiVue as one script that needs no other file, and its sheet of style.

import { build } from "esbuild";

const [out = "../src/hirescam/summary/browser"] = process.argv.slice(2);

await build({
  entryPoints: { viewer: "src/main.js" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  alias: { niivue: "./node_modules/@niivue/niivue/dist/index.js" },
  define: { "import.meta.url": '""' },  // asked for by codecs that are never loaded
  banner: { js: "/* Holds NiiVue (BSD-2-Clause, https://github.com/niivue/niivue) */" },
  legalComments: "inline",
  logLevel: "warning",
});
