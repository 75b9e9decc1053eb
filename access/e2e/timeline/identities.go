package timeline

func identities() []Row { return nil }
