"""Places an order over gRPC and follows it until it is confirmed or cancelled.

    pip install grpcio grpcio-tools
    python -m grpc_tools.protoc -I ../../crates/pasar-contracts/proto --python_out=. --grpc_python_out=. \
        pasar/orders/v1/orders.proto pasar/types/v1/types.proto
    python place_order.py localhost:8080 "$CUSTOMER" kopi-susu
"""

import json
import sys
import uuid

import grpc
from pasar.orders.v1 import orders_pb2 as orders
from pasar.orders.v1 import orders_pb2_grpc as service

address, key, sku = sys.argv[1:4]
caller = ("authorization", f"Bearer {key}")

with grpc.insecure_channel(address) as channel:
    client = service.OrdersStub(channel)
    wanted = orders.PlaceOrderRequest(
        lines=[orders.Item(sku=sku, quantity=1)],
        payment=orders.PaymentMethod(method="sandbox", token="tok_ok"),
    )
    try:
        # A repeat with the same key is the same order.
        once = ("idempotency-key", str(uuid.uuid4()))
        order = client.PlaceOrder(wanted, timeout=10, metadata=[caller, once])
    except grpc.RpcError as refused:
        told = dict(refused.trailing_metadata())
        problem = json.loads(told.get("pasar-problem-bin", b"{}"))
        sys.exit(f"{refused.code().name}: {problem.get('title')} ({refused.details()})")
    print(f"number {order.number}, {order.total.amount_minor / 100:.0f} {order.total.currency}, {order.id}")
    changes = client.WatchOrder(orders.WatchOrderRequest(id=order.id), metadata=[caller])
    for change in changes:
        print(f"{change.version:2} {change.type}")
        if change.state in (orders.ORDER_STATE_CONFIRMED, orders.ORDER_STATE_CANCELLED):
            break
