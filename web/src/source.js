// Source: where a case's files come from, the server or this very page.

async function inflated(stream) {
  return new Response(stream.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

function once(load) {
  const kept = new Map();
  return (name) => {
    if (!kept.has(name)) kept.set(name, load(name));
    return kept.get(name);
  };
}

async function get(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${await answer.text()}`);
  return answer;
}

// A folder that the server shows; its browser unpacks what comes packed.
export function served(folder) {
  return {
    json: async (name) => (await get(folder + name)).json(),
    bytes: once(async (name) => (await get(folder + name)).arrayBuffer()),
  };
}

// Files written into the page: JSON as it is, bytes as base64 of gzip.
export function inlined() {
  const text = (name) => document.getElementById(`file-${name}`).textContent;
  return {
    json: async (name) => JSON.parse(text(name)),
    bytes: once(async (name) => {
      const packed = await fetch(`data:application/gzip;base64,${text(name).trim()}`);
      return inflated(packed.body);
    }),
  };
}
