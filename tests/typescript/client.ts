// A client of all models, typed by the document that a service writes of itself: what it sent, and what came back.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Schemas = components["schemas"];

const address = process.argv[2];
if (address === undefined) throw new Error("usage: client.js ADDRESS");
const api = createClient<paths>({ baseUrl: address });

/** What openapi-fetch makes of a response. */
type Answer<T> = { data?: T; error?: Schemas["ProblemDocument"] };

function read<T>({ data, error }: Answer<T>): T {
  if (data === undefined) throw new Error(error?.detail ?? "no answer");
  return data;
}

/** The answer to one payload: not of rows, and not of a file. */
function one<T>(answer: Answer<T>): Exclude<T, readonly unknown[] | string> {
  const output = read(answer);
  if (Array.isArray(output) || typeof output === "string") throw new Error("one output was expected");
  return output as Exclude<T, readonly unknown[] | string>;
}

const flower: Schemas["IrisModelInput"] = {
  sepal_length: 6.3,
  sepal_width: 3.3,
  petal_length: 6,
  petal_width: 2.5,
};
const loan: Schemas["LoanModelInput"] = {
  Education: "Graduate",
  ApplicantIncome: 5720,
  CoapplicantIncome: 0,
  LoanAmount: 110,
  Self_Employed: null,
  Credit_History: 1,
  Property_Area: "Urban",
};
const day: Schemas["BikeModelInput"] = {
  dteday: "2012-07-04",
  weathersit: 1,
  temp_c: 32,
  humidity_percent: 57,
  windspeed_kmh: 10,
};
const site: Schemas["DnaLstmModelInput"] = {
  dna_sequence: "TGCAAAGGGGCGACCGAACTCCCTTTACCGCGGAGTTATTCATAATTGAA",
};
const transcript: Schemas["CircrnaModelInput"] = { rna_sequence: "GCTGCTGGTGGTCTACCCTTGGACC".repeat(10), prior: 0.05 };

const iris = one(await api.POST("/api/models/iris_model/predict", { body: flower }));
const approval = one(await api.POST("/api/models/loan_model/predict", { body: loan }));
const rentals = one(await api.POST("/api/models/bike_model/predict", { body: day }));
const motif = one(await api.POST("/api/models/dna_lstm_model/predict", { body: site }));
const circle = one(await api.POST("/api/models/circrna_model/predict", { body: transcript }));

// Each field is of the type that the model's output schema says.
iris.species satisfies "setosa" | "versicolor" | "virginica";
iris.probabilities.virginica satisfies number;
approval.Loan_Status satisfies "Y" | "N";
rentals.interval.lower satisfies number | null;
motif.dna_class satisfies 0 | 1;
circle.label satisfies "circRNA" | "lncRNA";

const rows = read(await api.POST("/api/models/iris_model/predict", { body: [flower, { ...flower, petal_length: 1.4, petal_width: 0.2 }] }));
const listed = read(await api.GET("/api/models"));
const metadata = read(await api.GET("/api/models/iris_model/metadata"));

// What a program that is not typed may send, and the problem that it is told.
const untyped = { ...flower, petal_length: "6" } as unknown as typeof flower;
const { error: problem } = await api.POST("/api/models/iris_model/predict", { body: untyped });

console.log(
  JSON.stringify({
    calls: {
      iris_model: [flower, iris],
      loan_model: [loan, approval],
      bike_model: [day, rentals],
      dna_lstm_model: [site, motif],
      circrna_model: [transcript, circle],
    },
    rows,
    names: listed.models.map((model) => model.qualified_name),
    version: metadata.version,
    code: problem?.code,
    pointers: problem?.errors?.map((violation) => violation.pointer),
  }),
);
