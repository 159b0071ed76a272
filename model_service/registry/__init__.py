"""What is served: `entry` holds one line of the configuration, `bring_up` takes it to where it answers, `generation`
is an immutable view of all of them. `model_service.manager.ModelManager` stands in front."""
