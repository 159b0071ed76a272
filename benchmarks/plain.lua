-- Posts the document of the variable BODY, again and again.
wrk.method = "POST"
wrk.body = os.getenv("BODY")
