/** Loaded into Node-RED under test: tells what only its inside knows. */
module.exports = (RED) => {
  RED.httpAdmin.get('/probe/routes', (_request, response) => {
    const { stack } = RED.httpAdmin._router ?? RED.httpAdmin.router;
    const routes = stack
      .filter((layer) => layer.route)
      .flatMap(({ route }) => Object.keys(route.methods).map((method) => ({ method: method.toUpperCase(), path: route.path })));
    response.json(routes);
  });
};
