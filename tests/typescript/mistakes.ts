// What must not pass the types: a line below `@ts-expect-error` that the compiler accepts is an error itself.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Schemas = components["schemas"];
const api = createClient<paths>({ baseUrl: "/" });
const flower: Schemas["IrisModelInput"] = { sepal_length: 5, sepal_width: 3, petal_length: 1, petal_width: 1 };

// @ts-expect-error: a field is missing
export const missing: Schemas["IrisModelInput"] = { sepal_length: 5, sepal_width: 3, petal_length: 1 };
// @ts-expect-error: a text where a number belongs
export const text: Schemas["IrisModelInput"] = { ...flower, sepal_length: "5" };
// @ts-expect-error: a field that the model has not
export const unknown: Schemas["IrisModelInput"] = { ...flower, sepal_lenght: 5 };
// @ts-expect-error: none of the choices
export const choice: Schemas["LoanModelInput"]["Property_Area"] = "Moon";
// @ts-expect-error: null where the model needs a value
export const nothing: Schemas["DnaLstmModelInput"] = { dna_sequence: null };
// @ts-expect-error: a model that is not served
export const stranger = api.POST("/api/models/tulip_model/predict", { body: flower });
// @ts-expect-error: the payload of another model
export const other = api.POST("/api/models/loan_model/predict", { body: flower });
// @ts-expect-error: a field that the output has not
export const output = (answer: Schemas["IrisModelOutput"]) => answer.colour;
// @ts-expect-error: a code that no problem has
export const code: Schemas["ProblemDocument"]["code"] = "payload_invlaid";
