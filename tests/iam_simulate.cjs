// Answers IAM requests by policies: reads {policies, requests} from standard input, prints a result for each request.
const { runSimulation } = require("@cloud-copilot/iam-simulate");

async function answer(policies, request) {
  const simulation = {
    request: {
      principal: request.principal,
      action: request.action,
      resource: { resource: request.resource, accountId: request.account },
      contextVariables: request.context,
    },
    identityPolicies: policies.map((policy, number) => ({ name: `policy-${number + 1}`, policy })),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  };
  const response = await runSimulation(simulation, {});
  return response.resultType === "error" ? `error: ${JSON.stringify(response.errors)}` : response.overallResult;
}

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const { policies, requests } = JSON.parse(Buffer.concat(chunks).toString());
  const results = [];
  for (const request of requests) results.push(await answer(policies, request));
  console.log(JSON.stringify(results));
}

main();
