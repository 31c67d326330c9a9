// Only says where the module begins: each client is built with its rows/ROW.mod.
module clients

go 1.26.0
