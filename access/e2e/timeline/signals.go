package timeline

func signals() []Row { return nil }
