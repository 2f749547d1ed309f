// What PostGraphile expects to find when it is loaded; imported before it.

process.env.GRAPHILE_ENV ??= "production";

// PostGraphile asks for Node.js 22 and needs only this of it; Debian ships Node.js 18 and 20.
Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new this((fulfil, refuse) => {
    resolve = fulfil;
    reject = refuse;
  });
  return { promise, resolve, reject };
};
